"""Cases of OpenAI's Responses."""

from __future__ import annotations

from mlxr.http.fields import Fields
from mlxr.http.responses import schema as responses
from tests.http.cases.plain import (
    CITY,
    INPUT_TOKENS,
    RESPONSES,
    RTOOL,
    SCHEMA,
    STREAMED,
    Case,
    items,
    simple,
)

RESPONSE: dict[type[Fields], dict[str, Case]] = {
    responses.ResponsesRequest: {
        **simple(RESPONSES, model="org/tiny-alias", input="Ho", instructions="a", max_output_tokens=5),
        **simple(RESPONSES, temperature=0.3, top_p=0.3, top_logprobs=3, include=["message.output_text.logprobs"]),
        **simple(RESPONSES, text={"format": {"type": "json_object"}}, reasoning={"effort": "low"}, tools=[RTOOL]),
        **simple(
            RESPONSES,
            stream=True,
            truncation="auto",
            metadata={"a": "b"},
            user="me",
            adapters=["none"],
            draft_model="none",
        ),
        **simple(RESPONSES, **{"speculative.n_max": 3}),
        "tool_choice": Case(RESPONSES, {"tools": [RTOOL], "tool_choice": "required"}, {"tools": [RTOOL]}),
        "parallel_tool_calls": Case(RESPONSES, {"parallel_tool_calls": False}),
        "stream_options": Case(RESPONSES, {**STREAMED, "stream_options": {"include_obfuscation": True}}, STREAMED),
    },
    responses.InputTokensRequest: {
        **simple(INPUT_TOKENS, input="Ho", instructions="a", reasoning={"effort": "low"}, tools=[RTOOL]),
        "model": Case(INPUT_TOKENS, {"model": "none"}),
        "tool_choice": Case(INPUT_TOKENS, {"tools": [RTOOL], "tool_choice": "none"}, {"tools": [RTOOL]}),
    },
    responses.Part: {
        "type": Case(RESPONSES, items({"role": "user", "content": [{"type": "input_image"}]})),
        "text": Case(RESPONSES, items({"role": "user", "content": [{"type": "input_text", "text": "a"}]}), items()),
        "refusal": Case(RESPONSES, items({"role": "user", "content": [{"type": "refusal", "refusal": "a"}]}), items()),
    },
    responses.Item: {
        "type": Case(RESPONSES, items({"type": "computer_call"}), items()),
        "id": Case(RESPONSES, items({"type": "item_reference", "id": "a"}), items()),
        "role": Case(RESPONSES, items({"role": "assistant", "content": "a"}), items({"role": "user", "content": "a"})),
        "content": Case(RESPONSES, items({"role": "user", "content": "a"}), items({"role": "user", "content": "b"})),
        "summary": Case(
            RESPONSES,
            items({"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}),
            items({"type": "reasoning"}),
        ),
        "encrypted_content": Case(
            RESPONSES, items({"type": "reasoning", "encrypted_content": "bWx4cjphYmM="}), items({"type": "reasoning"})
        ),
        "call_id": Case(
            RESPONSES,
            items({"type": "function_call", "name": "f", "call_id": "a"}),
            items({"type": "function_call", "name": "f"}),
        ),
        "namespace": Case(
            RESPONSES,
            items({"type": "function_call", "namespace": "a", "name": "f"}),
            items({"type": "function_call", "name": "f"}),
        ),
        "name": Case(
            RESPONSES, items({"type": "function_call", "name": "f"}), items({"type": "function_call", "name": "g"})
        ),
        "arguments": Case(
            RESPONSES,
            items({"type": "function_call", "name": "f", "arguments": '{"a": 1}'}),
            items({"type": "function_call", "name": "f"}),
        ),
        "output": Case(
            RESPONSES,
            items({"type": "function_call_output", "output": "1"}),
            items({"type": "function_call_output", "output": "2"}),
        ),
    },
    responses.Format: {
        "type": Case(RESPONSES, {"text": {"format": {"type": "json_object"}}}),
        "schema": Case(RESPONSES, {"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}}),
        "strict": Case(
            RESPONSES,
            {"text": {"format": {"type": "json_schema", "schema": SCHEMA, "strict": True}}},
            {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ),
    },
    responses.TextOptions: {"format": Case(RESPONSES, {"text": {"format": {"type": "json_object"}}}, {"text": {}})},
    responses.Reasoning: {
        "effort": Case(RESPONSES, {"reasoning": {"effort": "low"}}),
        "summary": Case(RESPONSES, {"reasoning": {"summary": "auto"}}),
        "generate_summary": Case(RESPONSES, {"reasoning": {"generate_summary": "auto"}}),
    },
    responses.ResponsesTool: {
        "type": Case(RESPONSES, {"tools": [{"type": "web_search"}]}),
        "name": Case(RESPONSES, {"tools": [{**RTOOL, "name": "g"}]}, {"tools": [RTOOL]}),
        "description": Case(RESPONSES, {"tools": [{**RTOOL, "description": "does"}]}, {"tools": [RTOOL]}),
        "parameters": Case(RESPONSES, {"tools": [{**RTOOL, "parameters": CITY}]}, {"tools": [RTOOL]}),
        "strict": Case(RESPONSES, {"tools": [{**RTOOL, "strict": True}]}, {"tools": [RTOOL]}),
        "tools": Case(
            RESPONSES,
            {"tools": [{"type": "namespace", "name": "a", "tools": [RTOOL]}]},
            {"tools": [{"type": "namespace", "name": "a"}]},
        ),
    },
    responses.NamedTool: {
        "name": Case(
            RESPONSES,
            {"tools": [RTOOL, {**RTOOL, "name": "g"}], "tool_choice": {"type": "allowed_tools", "tools": [RTOOL]}},
            {"tools": [RTOOL, {**RTOOL, "name": "g"}]},
        )
    },
    responses.ToolChoice: {
        "type": Case(RESPONSES, {"tools": [RTOOL], "tool_choice": RTOOL}, {"tools": [RTOOL]}),
        "name": Case(RESPONSES, {"tools": [RTOOL], "tool_choice": RTOOL}, {"tools": [RTOOL]}),
        "tools": Case(
            RESPONSES,
            {"tools": [RTOOL], "tool_choice": {"type": "allowed_tools", "tools": []}},
            {"tools": [RTOOL], "tool_choice": {"type": "allowed_tools", "tools": [RTOOL]}},
        ),
        "mode": Case(
            RESPONSES,
            {"tools": [RTOOL], "tool_choice": {"type": "allowed_tools", "tools": [RTOOL], "mode": "required"}},
            {"tools": [RTOOL], "tool_choice": {"type": "allowed_tools", "tools": [RTOOL]}},
        ),
    },
    responses.StreamOptions: {},
}
