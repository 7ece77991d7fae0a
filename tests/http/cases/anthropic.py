"""Cases of Anthropic's messages."""

from __future__ import annotations

from typing import Any

from mlxr.http.anthropic import schema as anthropic
from mlxr.http.fields import Fields
from tests.http.cases.plain import (
    ATOOL,
    CITY,
    CLEARED,
    COUNT,
    HI,
    MESSAGES,
    OLD_THOUGHTS,
    SCHEMA,
    THINK,
    THOUGHTS,
    Case,
    blocks,
    simple,
    turns,
)

RESULT = {"type": "tool_result", "tool_use_id": "a"}
USE = {"type": "tool_use", "id": "b", "name": "f"}

DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
FOUND = {"type": "search_result", "source": "http://a", "title": "A", "content": [{"type": "text", "text": "a"}]}
DOCUMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "source": ({**FOUND, "source": "http://b"}, FOUND),
    "title": ({**DOCUMENT, "title": "A"}, DOCUMENT),
    "context": ({**DOCUMENT, "context": "A"}, DOCUMENT),
    "content": ({**FOUND, "content": [{"type": "text", "text": "b"}]}, FOUND),
    "citations": ({**DOCUMENT, "citations": {"enabled": True}}, DOCUMENT),
}
"""Blocks that are documents, with and without each of their fields."""

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
        **simple(MESSAGES, output_format={"type": "json_schema", "schema": SCHEMA}, adapters=["none"]),
        **simple(MESSAGES, draft_model="none", **{"speculative.n_max": 3}),
        **simple(MESSAGES, diagnostics={"previous_message_id": "msg_1"}),
    },
    anthropic.Diagnostics: {
        "previous_message_id": Case(MESSAGES, {"diagnostics": {"previous_message_id": "msg_1"}}, {"diagnostics": {}})
    },
    anthropic.CountRequest: {**conversation(COUNT), "model": Case(COUNT, {"model": "none"})},
    anthropic.TextBlock: {
        "type": Case(MESSAGES, blocks({**FOUND, "content": [{"type": "image"}]})),
        "text": Case(MESSAGES, blocks({**FOUND, "content": [{"type": "text", "text": "b"}]}), blocks(FOUND)),
    },
    anthropic.Source: {
        "type": Case(MESSAGES, blocks({**DOCUMENT, "source": {"type": "url"}}), blocks(DOCUMENT)),
        "data": Case(MESSAGES, blocks({**DOCUMENT, "source": {"type": "text", "data": "b"}}), blocks(DOCUMENT)),
        "content": Case(
            MESSAGES, blocks({**DOCUMENT, "source": {"type": "content", "content": "c"}}), blocks(DOCUMENT)
        ),
    },
    anthropic.ResultBlock: {
        **{
            name: Case(MESSAGES, blocks({**RESULT, "content": [block]}), blocks({**RESULT, "content": [plain]}))
            for name, (block, plain) in DOCUMENTS.items()
        },
        "type": Case(MESSAGES, blocks({**RESULT, "content": [{"type": "image"}]})),
        "text": Case(MESSAGES, blocks({**RESULT, "content": [{"type": "text", "text": "a"}]}), blocks(RESULT)),
    },
    anthropic.AnthropicBlock: {
        **{name: Case(MESSAGES, blocks(block), blocks(plain)) for name, (block, plain) in DOCUMENTS.items()},
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
        "is_error": Case(MESSAGES, blocks({**RESULT, "is_error": True}), blocks(RESULT)),
    },
    anthropic.AnthropicMessage: {
        "role": Case(MESSAGES, turns(role="assistant", content="a"), turns(role="user", content="a")),
        "content": Case(MESSAGES, turns(role="user", content="a"), turns(role="user", content="b")),
        "clear_at": Case(
            MESSAGES,
            {"messages": [{"role": "system", "content": "a", "clear_at": "next_user_message"}, *HI]},
            {"messages": [{"role": "system", "content": "a"}, *HI]},
        ),
    },
    anthropic.AnthropicTool: {
        "name": Case(MESSAGES, {"tools": [{**ATOOL, "name": "g"}]}, {"tools": [ATOOL]}),
        "type": Case(MESSAGES, {"tools": [{**ATOOL, "type": "bash_20250124"}]}, {"tools": [ATOOL]}),
        "description": Case(MESSAGES, {"tools": [{**ATOOL, "description": "does"}]}, {"tools": [ATOOL]}),
        "input_schema": Case(MESSAGES, {"tools": [{**ATOOL, "input_schema": CITY}]}, {"tools": [ATOOL]}),
        "strict": Case(MESSAGES, {"tools": [{**ATOOL, "strict": True}]}, {"tools": [ATOOL]}),
        "input_examples": Case(MESSAGES, {"tools": [{**ATOOL, "input_examples": [{"a": 1}]}]}, {"tools": [ATOOL]}),
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
