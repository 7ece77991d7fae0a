"""Cases of OpenAI's completions and embeddings."""

from __future__ import annotations

from mlxr.http import chat_messages
from mlxr.http.adapters import AdapterField
from mlxr.http.fields import Fields
from mlxr.http.openai import sampling_fields
from mlxr.http.openai import schema as openai
from tests.http.cases.plain import (
    ALLOWED,
    BOTH,
    CHAT,
    CITY,
    COMPLETIONS,
    EMBEDDINGS,
    SAMPLING,
    SCHEMA,
    STREAMED,
    Case,
    F,
    called,
    function,
    part,
    reply,
    simple,
    turns,
)

PREDICTED = {"prediction": {"type": "content", "content": "Ho"}}

OPENAI: dict[type[Fields], dict[str, Case]] = {
    openai.ChatRequest: {
        **simple(CHAT, **SAMPLING, model="org/tiny-alias", messages=[{"role": "user", "content": "Ho"}], **BOTH),
        **simple(CHAT, max_tokens=5, max_completion_tokens=6, reasoning_effort="low", chat_template="{{ x }}"),
        **simple(CHAT, chat_template_kwargs={"a": 1}, add_generation_prompt=False, reasoning={"effort": "high"}),
        **simple(CHAT, prediction={"type": "content", "content": "Ho"}),
        "logprobs": Case(CHAT, {"logprobs": True}),
        "top_logprobs": Case(CHAT, {"logprobs": True, "top_logprobs": 3}, {"logprobs": True}),
        "tool_choice": Case(CHAT, {**F, "tool_choice": "required"}, F),
        "parallel_tool_calls": Case(CHAT, {**F, "parallel_tool_calls": False}, F),
        "stream_options": Case(CHAT, {**STREAMED, "stream_options": {"include_usage": True}}, STREAMED),
        "continue_final_message": Case(
            CHAT,
            {**turns(role="assistant", content="a"), "continue_final_message": True},
            turns(role="assistant", content="a"),
        ),
    },
    openai.CompletionRequest: {
        **simple(COMPLETIONS, **SAMPLING, model="org/tiny-alias", prompt="Ho", max_tokens=5, suffix="b", echo=True),
        **simple(COMPLETIONS, logprobs=2, best_of=3, add_special_tokens=False),
        "stream_options": Case(COMPLETIONS, {**STREAMED, "stream_options": {"include_usage": True}}, STREAMED),
    },
    openai.EmbeddingRequest: {
        **simple(EMBEDDINGS, model="org/tiny-alias", input="Ho", encoding_format="base64", dimensions=2),
        **simple(EMBEDDINGS, keep_alive="2h", adapters=["none"], prompt_name="query"),
    },
    openai.ReasoningOptions: {
        name: Case(CHAT, {"reasoning": {name: value}}, {"reasoning": {}})
        for name, value in (("effort", "low"), ("max_tokens", 5), ("enabled", False))
    },
    openai.Prediction: {
        "type": Case(CHAT, {"prediction": {"type": "image", "content": "Ho"}}),
        "content": Case(CHAT, {"prediction": {"type": "content", "content": "Ha"}}, PREDICTED),
    },
    openai.PredictedText: {
        "type": Case(CHAT, {"prediction": {"type": "content", "content": [{"type": "image", "text": "Ho"}]}}),
        "text": Case(CHAT, {"prediction": {"type": "content", "content": [{"type": "text", "text": "Ha"}]}}, PREDICTED),
    },
    AdapterField: {
        "name": Case(CHAT, {"adapters": [{"name": "one"}]}),
        "scale": Case(CHAT, {"adapters": [{"name": "one", "scale": 1000}]}),
    },
    sampling_fields.StreamOptions: {
        "include_usage": Case(CHAT, {**STREAMED, "stream_options": {"include_usage": True}}, STREAMED),
        "continuous_usage_stats": Case(
            CHAT,
            {**STREAMED, "stream_options": {"include_usage": True, "continuous_usage_stats": True}},
            {**STREAMED, "stream_options": {"include_usage": True}},
        ),
    },
    sampling_fields.StructuredOutputs: {
        name: Case(CHAT, {"structured_outputs": {name: value}})
        for name, value in (
            ("json", SCHEMA),
            ("json_object", True),
            ("regex", "a+"),
            ("choice", ["a", "b"]),
            ("grammar", 'root ::= "a"'),
        )
    },
    openai.ResponseFormat: {
        "type": Case(CHAT, {"response_format": {"type": "json_object"}}),
        "json_schema": Case(
            CHAT,
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"response_format": {"type": "json_object"}},
        ),
        "schema": Case(
            CHAT,
            {"response_format": {"type": "json_object", "schema": SCHEMA}},
            {"response_format": {"type": "json_object"}},
        ),
    },
    openai.JsonSchemaFormat: {
        "schema": Case(CHAT, {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}),
        "strict": Case(
            CHAT,
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": True}}},
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        ),
    },
    chat_messages.ContentPart: {
        "type": Case(CHAT, part(type="image_url", text="Hi")),
        "text": Case(CHAT, part(text="Ho")),
        "refusal": Case(CHAT, part(type="refusal", refusal="No")),
    },
    chat_messages.CalledFunction: {
        "name": Case(CHAT, called(function={"name": "g"}), called()),
        "arguments": Case(CHAT, called(function={"name": "f", "arguments": '{"a": 1}'}), called()),
    },
    chat_messages.CalledTool: {
        "function": Case(CHAT, called(function={"name": "g"}), called()),
        "id": Case(CHAT, called(id="b"), called()),
    },
    chat_messages.CompletionMessage: {
        "role": Case(CHAT, turns(role="assistant"), turns(role="user")),
        "content": Case(CHAT, turns(role="user", content="a"), turns(role="user")),
        "name": Case(CHAT, turns(role="user", name="a"), turns(role="user")),
        "tool_calls": Case(CHAT, called(), reply(CHAT, {"role": "assistant"}, {"role": "tool", "content": "1"})),
        "tool_call_id": Case(CHAT, turns(role="tool", tool_call_id="a"), turns(role="tool")),
        "reasoning": Case(CHAT, turns(role="assistant", reasoning="a"), turns(role="assistant")),
        "reasoning_content": Case(CHAT, turns(role="assistant", reasoning_content="a"), turns(role="assistant")),
        "refusal": Case(CHAT, turns(role="assistant", refusal="No"), turns(role="assistant")),
    },
    chat_messages.Function: {
        "name": Case(CHAT, function(name="g"), F),
        "description": Case(CHAT, function(description="does"), F),
        "parameters": Case(CHAT, function(parameters=CITY), F),
        "strict": Case(CHAT, function(strict=True), F),
    },
    chat_messages.FunctionTool: {
        "type": Case(CHAT, {"tools": [{**F["tools"][0], "type": "custom"}]}, F),
        "function": Case(CHAT, function(name="g"), F),
    },
    openai.FunctionName: {"name": Case(CHAT, {**F, "tool_choice": {"type": "function", "function": {"name": "f"}}}, F)},
    openai.NamedTool: {"function": Case(CHAT, {**BOTH, "tool_choice": ALLOWED}, BOTH)},
    openai.AllowedTools: {
        "tools": Case(CHAT, {**BOTH, "tool_choice": ALLOWED}, BOTH),
        "mode": Case(
            CHAT,
            {**BOTH, "tool_choice": {**ALLOWED, "allowed_tools": {**ALLOWED["allowed_tools"], "mode": "required"}}},
            {**BOTH, "tool_choice": ALLOWED},
        ),
    },
    openai.ToolChoice: {
        "type": Case(CHAT, {**BOTH, "tool_choice": ALLOWED}, BOTH),
        "allowed_tools": Case(CHAT, {**BOTH, "tool_choice": ALLOWED}, BOTH),
        "function": Case(CHAT, {**F, "tool_choice": {"type": "function", "function": {"name": "f"}}}, F),
    },
}
