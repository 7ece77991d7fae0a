"""For every field that requests have and mlxr honours: a request in which it makes a difference.

A field is given by its struct and its name on the wire. A case is what to add to the route's plainest request, and, for
fields of parts, what to compare with: the same part without the field.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlxr.http import chat_messages
from mlxr.http.anthropic import schema as anthropic
from mlxr.http.fields import Fields
from mlxr.http.ollama import schema as ollama
from mlxr.http.openai import schema as openai
from mlxr.http.rerank import handlers as rerank
from mlxr.http.responses import schema as responses
from mlxr.http.tokenize import schema as tokenize

HI = [{"role": "user", "content": "Hi"}]
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
EMBEDDINGS, MESSAGES, COUNT = "/v1/embeddings", "/v1/messages", "/v1/messages/count_tokens"

PLAIN: dict[str, dict[str, Any]] = {
    CHAT: {"model": "tiny", "messages": HI},
    COMPLETIONS: {"model": "tiny", "prompt": "Hi"},
    RESPONSES: {"model": "tiny", "input": "Hi"},
    EMBEDDINGS: {"model": "tiny", "input": "Hi"},
    MESSAGES: {"model": "tiny", "messages": HI, "max_tokens": 9},
    COUNT: {"model": "tiny", "messages": HI},
    "/api/generate": {"model": "tiny", "prompt": "Hi"},
    "/api/chat": {"model": "tiny", "messages": HI},
    "/api/embed": {"model": "tiny", "input": "Hi"},
    "/api/embeddings": {"model": "tiny", "prompt": "Hi"},
    "/api/show": {"model": "tiny"},
    "/api/pull": {"model": "tiny"},
    "/api/create": {"model": "mine", "from": "tiny"},
    "/api/copy": {"source": "tiny", "destination": "other"},
    "/tokenize": {"model": "tiny", "prompt": "Hi"},
    "/detokenize": {"model": "tiny", "tokens": [65]},
    "/v1/rerank": {"model": "tiny", "query": "q", "documents": ["a", "bb"]},
}
"""The plainest request of each route."""


class Case(NamedTuple):
    path: str
    added: dict[str, Any]
    instead_of: dict[str, Any] = {}


def turns(**fields: Any) -> dict[str, Any]:
    return {"messages": [*HI, fields]}


def reply(path: str, *others: dict[str, Any]) -> dict[str, Any]:
    """Messages that end with the user's turn again, after ``others``."""
    return {"messages": [*HI, *others, *HI]}


def function(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", **fields}}]}


def called(**fields: Any) -> dict[str, Any]:
    made = {"id": "a", "function": {"name": "f", "arguments": "{}"}, **fields}
    return reply(CHAT, {"role": "assistant", "tool_calls": [made]}, {"role": "tool", "content": "1"})


def part(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", **fields}]}]}


def items(*given: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "Hi"}, *given, {"role": "user", "content": "So?"}]}


def blocks(*given: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return reply(MESSAGES, {"role": role, "content": [*given]})


def simple(path: str, **fields: Any) -> dict[str, Case]:
    """Cases of fields that need nothing else."""
    return {name: Case(path, {name: value}) for name, value in fields.items()}


F = function()
BOTH = {"tools": [*F["tools"], {"type": "function", "function": {"name": "g"}}]}
RTOOL = {"type": "function", "name": "f"}
ATOOL = {"name": "f", "input_schema": {"type": "object"}}
OTOOL = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"type": "object"}
THINK = {"type": "enabled", "budget_tokens": 5}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
STREAMED = {"stream": True}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"tools": [{"function": {"name": "f"}}]}}
CLEARED = {"type": "clear_thinking_20251015"}
THOUGHTS = blocks({"type": "thinking", "thinking": "a"}, {"type": "text", "text": "b"}, role="assistant")["messages"]
OLD_THOUGHTS = {"messages": [*THOUGHTS[:-1], *THOUGHTS]}

SAMPLING: dict[str, Any] = {
    "temperature": 0.3, "top_p": 0.4, "top_k": 3, "min_p": 0.1, "typical_p": 0.6, "repetition_penalty": 1.2,
    "presence_penalty": 0.5, "frequency_penalty": 0.5, "logit_bias": {"5": 1}, "seed": 3, "stop": "x",
    "stop_token_ids": [4], "ignore_eos": True, "n": 2, "priority": 3, "stream": True, "guided_json": SCHEMA,
    "guided_regex": "a+", "guided_grammar": 'start: "a"', "guided_choice": ["a", "b"], "keep_alive": "2h",
    "response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a+"}, "json_schema": SCHEMA,
    "regex": "a+", "grammar": 'root ::= "a"', "ebnf": 'root ::= "a"',
}  # fmt: skip

OPENAI: dict[type[Fields], dict[str, Case]] = {
    openai.ChatRequest: {
        **simple(CHAT, **SAMPLING, model="org/tiny-alias", messages=[{"role": "user", "content": "Ho"}], **BOTH),
        **simple(CHAT, max_tokens=5, max_completion_tokens=6, reasoning_effort="low", chat_template="{{ x }}"),
        **simple(CHAT, chat_template_kwargs={"a": 1}, add_generation_prompt=False),
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
    openai.EmbeddingRequest: simple(
        EMBEDDINGS, model="org/tiny-alias", input="Ho", encoding_format="base64", dimensions=2, keep_alive="2h"
    ),
    openai.StreamOptions: {
        "include_usage": Case(CHAT, {**STREAMED, "stream_options": {"include_usage": True}}, STREAMED),
        "continuous_usage_stats": Case(
            CHAT,
            {**STREAMED, "stream_options": {"include_usage": True, "continuous_usage_stats": True}},
            {**STREAMED, "stream_options": {"include_usage": True}},
        ),
    },
    openai.StructuredOutputs: {
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
        "schema": Case(CHAT, {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}})
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

RESPONSE: dict[type[Fields], dict[str, Case]] = {
    responses.ResponsesRequest: {
        **simple(RESPONSES, model="org/tiny-alias", input="Ho", instructions="a", max_output_tokens=5),
        **simple(RESPONSES, temperature=0.3, top_p=0.3, top_logprobs=3, include=["message.output_text.logprobs"]),
        **simple(RESPONSES, text={"format": {"type": "json_object"}}, reasoning={"effort": "low"}, tools=[RTOOL]),
        **simple(RESPONSES, stream=True, truncation="auto", metadata={"a": "b"}, user="me"),
        "tool_choice": Case(RESPONSES, {"tools": [RTOOL], "tool_choice": "required"}, {"tools": [RTOOL]}),
        "parallel_tool_calls": Case(RESPONSES, {"parallel_tool_calls": False}),
        "stream_options": Case(RESPONSES, {**STREAMED, "stream_options": {"include_obfuscation": True}}, STREAMED),
    },
    responses.Part: {
        "type": Case(RESPONSES, items({"role": "user", "content": [{"type": "input_image"}]})),
        "text": Case(RESPONSES, items({"role": "user", "content": [{"type": "input_text", "text": "a"}]}), items()),
        "refusal": Case(RESPONSES, items({"role": "user", "content": [{"type": "refusal", "refusal": "a"}]}), items()),
    },
    responses.Item: {
        "type": Case(RESPONSES, items({"type": "computer_call"}), items()),
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

RESULT = {"type": "tool_result", "tool_use_id": "a"}
USE = {"type": "tool_use", "id": "b", "name": "f"}

CONVERSATION: dict[str, Any] = {
    "model": "org/tiny-alias", "messages": [{"role": "user", "content": "Ho"}], "system": "a", "tools": [ATOOL],
    "thinking": THINK, "output_config": {"effort": "low"},
}  # fmt: skip


def conversation(path: str) -> dict[str, Case]:
    return {
        **simple(path, **CONVERSATION),
        "tool_choice": Case(path, {"tools": [ATOOL], "tool_choice": {"type": "any"}}, {"tools": [ATOOL]}),
        "context_management": Case(path, {"context_management": {"edits": [{"type": "compact_20260112"}]}}),
    }


ANTHROPIC: dict[type[Fields], dict[str, Case]] = {
    anthropic.MessagesRequest: {
        **conversation(MESSAGES),
        **simple(MESSAGES, max_tokens=5, stop_sequences=["x"], stream=True, temperature=0.3, top_k=3, top_p=0.3),
        **simple(MESSAGES, output_format={"type": "json_schema", "schema": SCHEMA}),
    },
    anthropic.CountRequest: {**conversation(COUNT), "model": Case(COUNT, {"model": "none"})},
    anthropic.ResultBlock: {
        "type": Case(MESSAGES, blocks({**RESULT, "content": [{"type": "image"}]})),
        "text": Case(MESSAGES, blocks({**RESULT, "content": [{"type": "text", "text": "a"}]}), blocks(RESULT)),
    },
    anthropic.AnthropicBlock: {
        "type": Case(MESSAGES, blocks({"type": "image"})),
        "text": Case(MESSAGES, blocks({"type": "text", "text": "a"}), blocks({"type": "text", "text": "b"})),
        "thinking": Case(MESSAGES, {"messages": THOUGHTS}),
        "signature": Case(
            MESSAGES,
            blocks({"type": "thinking", "signature": "bWx4cjphYmM="}, role="assistant"),
            blocks({"type": "thinking"}, role="assistant"),
        ),
        "id": Case(MESSAGES, blocks({**USE, "id": "a"}, role="assistant"), blocks(USE, role="assistant")),
        "name": Case(MESSAGES, blocks({**USE, "name": "g"}, role="assistant"), blocks(USE, role="assistant")),
        "input": Case(MESSAGES, blocks({**USE, "input": {"a": 1}}, role="assistant"), blocks(USE, role="assistant")),
        "tool_use_id": Case(MESSAGES, blocks({**RESULT, "tool_use_id": "b"}), blocks(RESULT)),
        "content": Case(MESSAGES, blocks({**RESULT, "content": "a"}), blocks(RESULT)),
        "is_error": Case(MESSAGES, blocks({**RESULT, "is_error": True}), blocks(RESULT)),
    },
    anthropic.AnthropicMessage: {
        "role": Case(MESSAGES, turns(role="assistant", content="a"), turns(role="user", content="a")),
        "content": Case(MESSAGES, turns(role="user", content="a"), turns(role="user", content="b")),
    },
    anthropic.AnthropicTool: {
        "name": Case(MESSAGES, {"tools": [{**ATOOL, "name": "g"}]}, {"tools": [ATOOL]}),
        "type": Case(MESSAGES, {"tools": [{**ATOOL, "type": "bash_20250124"}]}, {"tools": [ATOOL]}),
        "description": Case(MESSAGES, {"tools": [{**ATOOL, "description": "does"}]}, {"tools": [ATOOL]}),
        "input_schema": Case(MESSAGES, {"tools": [{**ATOOL, "input_schema": CITY}]}, {"tools": [ATOOL]}),
        "strict": Case(MESSAGES, {"tools": [{**ATOOL, "strict": True}]}, {"tools": [ATOOL]}),
    },
    anthropic.ToolChoice: {
        "type": Case(MESSAGES, {"tools": [ATOOL], "tool_choice": {"type": "none"}}, {"tools": [ATOOL]}),
        "name": Case(
            MESSAGES,
            {"tools": [ATOOL], "tool_choice": {"type": "tool", "name": "f"}},
            {"tools": [ATOOL], "tool_choice": {"type": "any"}},
        ),
        "disable_parallel_tool_use": Case(
            MESSAGES,
            {"tools": [ATOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"tools": [ATOOL], "tool_choice": {"type": "auto"}},
        ),
    },
    anthropic.Thinking: {
        "type": Case(MESSAGES, {"thinking": {"type": "disabled"}}),
        "budget_tokens": Case(MESSAGES, {"thinking": {**THINK, "budget_tokens": 6}}, {"thinking": THINK}),
        "display": Case(MESSAGES, {"thinking": {**THINK, "display": "omitted"}}, {"thinking": THINK}),
    },
    anthropic.OutputFormat: {
        "type": Case(MESSAGES, {"output_format": {"type": "json_schema", "schema": SCHEMA}}),
        "schema": Case(MESSAGES, {"output_format": {"type": "json_schema", "schema": SCHEMA}}),
    },
    anthropic.OutputConfig: {
        "effort": Case(MESSAGES, {"output_config": {"effort": "low"}}),
        "format": Case(MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    },
    anthropic.ContextManagement: {
        "edits": Case(
            MESSAGES,
            {**OLD_THOUGHTS, "context_management": {"edits": [CLEARED]}},
            {**OLD_THOUGHTS, "context_management": {"edits": []}},
        )
    },
    anthropic.Edit: {
        "type": Case(MESSAGES, {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
        "keep": Case(
            MESSAGES,
            {**OLD_THOUGHTS, "context_management": {"edits": [{**CLEARED, "keep": "all"}]}},
            {**OLD_THOUGHTS, "context_management": {"edits": [CLEARED]}},
        ),
    },
    anthropic.ThinkingTurns: {
        name: Case(
            MESSAGES,
            {
                **OLD_THOUGHTS,
                "context_management": {"edits": [{**CLEARED, "keep": {"type": "thinking_turns", "value": 2}}]},
            },
            {**OLD_THOUGHTS, "context_management": {"edits": [CLEARED]}},
        )
        for name in ("type", "value")
    },
}

GENERATE, OCHAT = "/api/generate", "/api/chat"
ANSWERING: dict[str, Any] = {
    "model": "org/tiny-alias", "options": {"top_k": 3}, "format": "json", "think": False, "keep_alive": "2h",
    "stream": False, "logprobs": True, "truncate": False,
}  # fmt: skip
OCALL = {"function": {"name": "f"}}


def top_logprobs(path: str) -> dict[str, Case]:
    return {"top_logprobs": Case(path, {"logprobs": True, "top_logprobs": 2}, {"logprobs": True})}


def ocalled(**fields: Any) -> dict[str, Any]:
    return turns(role="assistant", tool_calls=[{**OCALL, **fields}])


def named(path: str) -> dict[str, Case]:
    return {"model": Case(path, {"model": "other"}), "name": Case(path, {"model": None, "name": "other"})}


OLLAMA: dict[type[Fields], dict[str, Case]] = {
    ollama.GenerateRequest: {
        **simple(GENERATE, **ANSWERING, prompt="Ho", suffix="b", system="a", template="{{ x }}", context=[5]),
        **simple(GENERATE, raw=True, images=["aGk="]),
        **top_logprobs(GENERATE),
    },
    ollama.ChatRequest: {
        **simple(OCHAT, **ANSWERING, messages=[{"role": "user", "content": "Ho"}], tools=[OTOOL]),
        **top_logprobs(OCHAT),
    },
    ollama.CalledFunction: {
        "name": Case(OCHAT, ocalled(function={"name": "g"}), ocalled()),
        "arguments": Case(OCHAT, ocalled(function={"name": "f", "arguments": {"a": 1}}), ocalled()),
    },
    ollama.CalledTool: {
        "function": Case(OCHAT, ocalled(function={"name": "g"}), ocalled()),
        "id": Case(OCHAT, ocalled(id="a"), ocalled()),
    },
    ollama.OllamaMessage: {
        "role": Case(OCHAT, turns(role="assistant"), turns(role="user")),
        "content": Case(OCHAT, turns(role="user", content="a"), turns(role="user")),
        "thinking": Case(OCHAT, turns(role="assistant", thinking="a"), turns(role="assistant")),
        "images": Case(OCHAT, turns(role="user", images=["aGk="]), turns(role="user")),
        "tool_calls": Case(OCHAT, ocalled(), turns(role="assistant")),
        "tool_name": Case(OCHAT, turns(role="tool", tool_name="f"), turns(role="tool")),
        "tool_call_id": Case(OCHAT, turns(role="tool", tool_call_id="f"), turns(role="tool")),
    },
    ollama.Function: {
        name: Case(OCHAT, {"tools": [{"type": "function", "function": {"name": "f", name: value}}]}, {"tools": [OTOOL]})
        for name, value in (("name", "g"), ("description", "does"), ("parameters", CITY))
    },
    ollama.OllamaTool: {"function": Case(OCHAT, {"tools": [{"function": {"name": "g"}}]}, {"tools": [OTOOL]})},
    ollama.EmbedRequest: simple(
        "/api/embed", model="none", input="Ho", truncate=False, dimensions=2, keep_alive="2h", options={"num_ctx": 9}
    ),
    ollama.EmbeddingsRequest: simple(
        "/api/embeddings", model="none", prompt="Ho", keep_alive="2h", options={"num_ctx": 9}
    ),
    ollama.Named: named("/api/show"),
    ollama.ShowRequest: {**named("/api/show"), "verbose": Case("/api/show", {"verbose": True})},
    ollama.TransferRequest: {**named("/api/pull"), "stream": Case("/api/pull", {"stream": False})},
    ollama.CreateRequest: {
        **named("/api/create"),
        **simple("/api/create", stream=False, files={"a": "b"}, adapters={"a": "b"}, template="{{ x }}", system="a"),
        **simple("/api/create", license="a", parameters={"top_k": 3}, messages=HI, quantize="Q4_K_M"),
        "from": Case("/api/create", {"from": "other"}),
    },
    ollama.OpeningMessage: {
        "role": Case(
            "/api/create",
            {"messages": [{"role": "system", "content": "a"}]},
            {"messages": [{"role": "user", "content": "a"}]},
        ),
        "content": Case(
            "/api/create",
            {"messages": [{"role": "user", "content": "a"}]},
            {"messages": [{"role": "user", "content": "b"}]},
        ),
    },
    ollama.CopyRequest: simple("/api/copy", source="a", destination="b"),
}

OTHERS: dict[type[Fields], dict[str, Case]] = {
    tokenize.TokenizeRequest: {
        **simple("/tokenize", model="none", prompt="Ho", add_special_tokens=False, return_token_strs=True),
        **{
            name: Case("/tokenize", {"prompt": None, "messages": HI, name: value}, {"prompt": None, "messages": HI})
            for name, value in (
                ("tools", F["tools"]),
                ("messages", [{"role": "user", "content": "Ho"}]),
                ("add_generation_prompt", False),
                ("continue_final_message", True),
                ("chat_template", "{{ x }}"),
                ("chat_template_kwargs", {"a": 1}),
            )
        },
        "content": Case("/tokenize", {"prompt": None, "content": "Ho"}, {"prompt": "Hi"}),
        "add_special": Case(
            "/tokenize", {"prompt": None, "content": "Hi", "add_special": True}, {"prompt": None, "content": "Hi"}
        ),
    },
    tokenize.DetokenizeRequest: simple("/detokenize", model="none", tokens=[66]),
    rerank.RerankRequest: simple(
        "/v1/rerank", model="none", query="r", documents=["a"], top_n=1, return_documents=True
    ),
}

HONOURED = {**OPENAI, **RESPONSE, **ANTHROPIC, **OLLAMA, **OTHERS}
