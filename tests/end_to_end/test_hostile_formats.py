"""Formats and tools that would end or hold up the server fail their own request, on every route that takes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

HELLO = [{"role": "user", "content": "hello"}]
CHAIN = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{f"d{i}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}}} for i in range(2_000)},
        "d2000": {"type": "string"},
    },
}
RULES = "start: r0\n" + "".join(f'r{i}: "a" r{i + 1}\n' for i in range(3_000)) + 'r3000: "b"\n'
PATTERNS = {"type": "object", "patternProperties": {f"^x{i}(a|b){{400}}c*$": {} for i in range(600)}}
GBNF = "root ::= r0\n" + "".join(f'r{i} ::= "a" r{i + 1}\n' for i in range(3_000)) + 'r3000 ::= "b"\n'
GROUPS = "(" * 2_000 + "a" + ")*" * 2_000
TOOL = {"name": "f", "parameters": CHAIN}
OPENAI_TOOL = {"type": "function", "function": TOOL}

REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "/v1/chat/completions",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
        "response_format",
    )
    for schema in (CHAIN, PATTERNS)
]
REQUESTS += [("/v1/chat/completions", {field: RULES}, field) for field in ("guided_grammar", "grammar", "ebnf")]
REQUESTS += [
    ("/v1/chat/completions", {"guided_json": CHAIN}, "guided_json"),
    ("/v1/chat/completions", {"guided_regex": GROUPS}, "guided_regex"),
    ("/v1/chat/completions", {"grammar": GBNF}, "grammar"),
    ("/v1/chat/completions", {"tools": [OPENAI_TOOL], "tool_choice": "required"}, "'f'"),
    ("/v1/responses", {"text": {"format": {"type": "json_schema", "name": "a", "schema": CHAIN}}}, "text.format"),
    ("/v1/responses", {"tools": [{"type": "function", **TOOL}], "tool_choice": "required"}, "'f'"),
    ("/v1/completions", {"prompt": "a", "guided_json": CHAIN}, "guided_json"),
    ("/api/chat", {"format": CHAIN}, "format"),
    ("/api/generate", {"prompt": "a", "format": CHAIN}, "format"),
    (
        "/v1/messages",
        {"max_tokens": 5, "tools": [{"name": "f", "input_schema": CHAIN}], "tool_choice": {"type": "any"}},
        "'f'",
    ),
]


@pytest.mark.parametrize(("route", "body", "says"), REQUESTS, ids=lambda value: str(value)[:40])
def test_a_format_that_is_too_much_is_refused_and_the_server_goes_on(
    server: Server, route: str, body: dict[str, Any], says: str
) -> None:
    messages = {"input": "hello"} if route == "/v1/responses" else {} if "prompt" in body else {"messages": HELLO}
    status, answer = server.request(route, {"model": "smollm2", **messages, **body})
    assert status == 400, answer
    assert says in str(answer["error"])
    assert "at most" in str(answer["error"])
    status, _ = server.request("/v1/chat/completions", {"model": "smollm2", "messages": HELLO, "max_tokens": 2})
    assert status == 200


def test_one_bad_tool_spoils_no_other(server: Server) -> None:
    bad = {"type": "object", "properties": {"x": {"type": "array", "uniqueItems": True}}, "required": None}
    good = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": schema}}
        for name, schema in (("bad", bad), ("good", good))
    ]
    body = {"model": "smollm2", "messages": HELLO, "tools": tools, "max_tokens": 60, "temperature": 0}
    named = {"type": "function", "function": {"name": "good"}}
    for choice in ("required", named):
        status, answer = server.request("/v1/chat/completions", {**body, "tool_choice": choice})
        assert status == 200, answer
        assert answer["choices"][0]["message"]["tool_calls"]
    call = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    assert call["name"] == "good"
    assert call["arguments"] in ('{"city": "Rome"}', '{"city": "Oslo"}')
    tools[0]["function"]["strict"] = True
    status, answer = server.request("/v1/chat/completions", {**body, "tool_choice": "required"})
    assert status == 400
    assert "'bad' is strict" in answer["error"]["message"]
    assert "uniqueItems" in answer["error"]["message"]
    assert "start:" not in answer["error"]["message"]
    status, answer = server.request(
        "/v1/chat/completions", {**body, "response_format": {"type": "json_object"}, "tool_choice": "auto"}
    )
    assert status == 400
    assert answer["error"]["param"] == "tools[0].function.parameters"
