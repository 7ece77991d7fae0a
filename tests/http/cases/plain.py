"""The plainest request of each route, and what cases add to them."""

from __future__ import annotations

from typing import Any, NamedTuple

HI = [{"role": "user", "content": "Hi"}]
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
INPUT_TOKENS = "/v1/responses/input_tokens"
EMBEDDINGS, MESSAGES, COUNT = "/v1/embeddings", "/v1/messages", "/v1/messages/count_tokens"

PLAIN: dict[str, dict[str, Any]] = {
    CHAT: {"model": "tiny", "messages": HI},
    COMPLETIONS: {"model": "tiny", "prompt": "Hi"},
    RESPONSES: {"model": "tiny", "input": "Hi"},
    INPUT_TOKENS: {"model": "tiny", "input": "Hi"},
    EMBEDDINGS: {"model": "tiny", "input": "Hi"},
    MESSAGES: {"model": "tiny", "messages": HI, "max_tokens": 9},
    COUNT: {"model": "tiny", "messages": HI},
    "/api/generate": {"model": "tiny", "prompt": "Hi"},
    "/api/chat": {"model": "tiny", "messages": HI},
    "/api/embed": {"model": "tiny", "input": "Hi"},
    "/api/embeddings": {"model": "tiny", "prompt": "Hi"},
    "/api/show": {"model": "tiny"},
    "/api/estimate": {"model": "tiny"},
    "/api/pull": {"model": "tiny"},
    "/api/create": {"model": "mine", "from": "tiny"},
    "/api/import": {"from": "ollama"},
    "/api/copy": {"source": "tiny", "destination": "other"},
    "/api/ui/tools/mode": {"tool": "clock"},
    "/api/ui/tools/private-fetch": {"allowed": False},
    "/api/ui/tools/servers": {"name": "notes", "url": "http://127.0.0.1:9/mcp"},
    "/api/ui/fetch": {"url": "http://127.0.0.1:9/"},
    "/tokenize": {"model": "tiny", "prompt": "Hi"},
    "/detokenize": {"model": "tiny", "tokens": [65]},
    "/api/ui/jobs/pull": {"model": "tiny"},
    "/api/ui/jobs/import": {"from": "ollama"},
    "/api/ui/jobs/convert": {"model": "tiny"},
    "/api/ui/jobs/create": {"model": "mine", "from": "tiny"},
    "/api/ui/jobs/push": {"model": "tiny"},
    "/api/ui/jobs/{job}": {"action": "cancel"},
    "/api/ui/models/load": {"model": "tiny"},
    "/api/ui/models/unload": {"model": "tiny"},
    "/api/ui/models/conversions": {"model": "tiny"},
    "/completion": {"model": "tiny", "prompt": "Hi"},
    "/embedding": {"model": "tiny", "content": "Hi"},
    "/infill": {"model": "tiny", "input_prefix": "a", "input_suffix": "b"},
    "/apply-template": {"model": "tiny", "messages": HI},
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
    "regex": "a+", "grammar": 'root ::= "a"', "ebnf": 'root ::= "a"', "adapters": ["none"],
    "speculative.n_max": 0, "draft_model": "none", "sse_ping_interval": -2,
    "repeat_penalty": 1.3, "repeat_last_n": 3,
}  # fmt: skip
