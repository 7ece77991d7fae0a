"""No field of any request is silently ignored: each is honoured, refused by name, or known to change nothing."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anthropic.types as claude
import openai.types.chat as chat
import openai.types.responses as output
import pytest
from pydantic import BaseModel

from mlxr.http import chat_messages
from mlxr.http.anthropic import schema as anthropic
from mlxr.http.fields import Fields, parts_of
from mlxr.http.openai import schema
from mlxr.http.openapi import document
from mlxr.http.request_body.unknown_fields import HEADER, finder, header_value, known_names
from mlxr.http.responses import schema as responses
from mlxr.http.routes import ERROR_SCHEMAS, ROUTES
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import RegistryReply
from mlxr.runtime.messages.registry import TouchModel
from tests.http.cases import HONOURED
from tests.http.cases.plain import CHAT, HI, PLAIN
from tests.http.rig import Rig, embedded, rig, thinking_and_calling

ELSEWHERE = ("/api/push", "/api/delete")
"""Routes whose requests are tried with Ollama's package alone."""
REQUESTS = [route for route in ROUTES if route.path in PLAIN and route.takes is not None]
PARTS = parts_of(route.takes for route in ROUTES if route.takes is not None)
REFUSED = [(part, name) for part in PARTS for name in part.REFUSED]
Server = tuple[Rig, aiohttp.ClientSession]
VARIABLE = re.compile(r'"(created|created_at|total_duration|id|call_id|item_id)": ?("[^"]*"|\d+)')
NUMBERS = re.compile(r"request=\d+|seed=\d{4,}|active=\d+")
UNLIKELY: tuple[Any, ...] = (1, 0.5, True, False, "auto", "q", ["q"], [], {"q": 1}, [7])
"""Values of every type, one of which any field that is refused would take."""


def spelled(path: str) -> str:
    """A route's path with something for each of its parameters."""
    return re.sub(r"\{\w+\}", "x", path)


def takes_fields(type: Any) -> bool:
    """Whether fields may be ignored by name; other structs refuse what they do not know."""
    return type is not None and (issubclass(type, Fields) or not type.__struct_config__.forbid_unknown_fields)


def succeeds(message: Message) -> list[Message]:
    number = getattr(message, "request", 0)
    return [RegistryReply(number, "success", last=True, body=b"{}")] if number else []


def idle(message: Message) -> bool:
    """What is sent after a request has ended, sooner or later."""
    return isinstance(message, TouchModel) and not message.active


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Server]:
    """A server that answers everything."""
    async with rig(directory) as r, aiohttp.ClientSession() as session:
        r.on_generate, r.on_other, r.on_registry = thinking_and_calling, embedded, succeeds
        yield r, session


async def outcome(server: Server, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
    """Status, what the runtime was asked and what came back, less what differs from one time to the next."""
    r, session = server
    before = len(r.heard)
    async with session.post(r.url + spelled(path), json=body) as response:
        text = await response.text()
    heard = "\n".join(repr(message) for _, message in r.heard[before:] if not idle(message))
    return response.status, NUMBERS.sub("", heard), VARIABLE.sub("", text)


def test_every_field_is_either_honoured_or_refused_or_changes_nothing() -> None:
    """A field that is added must be classified: with a case in ``tests.http.cases``, or in its struct."""
    assert set(HONOURED) == set(PARTS)
    for part in PARTS:
        wire = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
        refused = {wire[name] for name in part.REFUSED}
        assert not refused & part.IGNORED, part
        assert set(HONOURED[part]) == set(wire.values()) - refused - part.IGNORED, part


def test_every_route_that_takes_a_body_has_a_plainest_request() -> None:
    paths = {route.path for route in ROUTES if takes_fields(route.takes)} - set(ELSEWHERE)
    same = {route.path for route in ROUTES if route.summary == "The same"}
    assert paths - same <= PLAIN.keys()
    assert {r.takes for r in ROUTES if r.path in paths and r.takes is not None} == {r.takes for r in REQUESTS}


@pytest.mark.parametrize(
    "part", [part for part in HONOURED if HONOURED[part]], ids=lambda part: f"{part.__module__}.{part.__name__}"
)
async def test_an_honoured_field_makes_a_difference_or_is_a_400_that_names_it(
    tmp_path: Path, part: type[Fields]
) -> None:
    async with serving(tmp_path) as server:
        for name, case in HONOURED[part].items():
            plain = PLAIN[case.path]
            status, *without = await outcome(server, case.path, {**plain, **case.instead_of})
            assert status == 200, (name, without)
            status, *with_it = await outcome(server, case.path, {**plain, **case.added})
            assert with_it != without, name
            assert status in (200, 404) or name in with_it[1], (name, with_it)


@pytest.mark.parametrize("route", [r for r in REQUESTS if r.takes.REFUSED], ids=lambda route: route.path)
async def test_refused_fields_of_a_request_are_400s_that_name_them(tmp_path: Path, route: Any) -> None:
    async with serving(tmp_path) as server:
        await _refuses(server, route)


async def _refuses(server: Server, route: Any) -> None:
    for name, harmless in route.takes.REFUSED.items():
        for value in (value for value in UNLIKELY if value != harmless):
            status, asked, answer = await outcome(server, route.path, {**PLAIN[route.path], name: value})
            assert status == 400, (name, value, answer)
            assert not asked
            assert name in answer
        for value in (None, harmless):
            status, _, answer = await outcome(server, route.path, {**PLAIN[route.path], name: value})
            assert status == 200, (name, value, answer)


@pytest.mark.parametrize(
    ("added", "place"),
    [
        ({"messages": [*HI, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "function": {"name": "f"}}]}]},
         "messages[0].tool_calls[0].type"),
    ],
)  # fmt: skip
async def test_refused_fields_within_parts_are_named_with_their_place(
    tmp_path: Path, added: dict[str, Any], place: str
) -> None:
    async with serving(tmp_path) as server:
        status, asked, answer = await outcome(server, CHAT, {**PLAIN[CHAT], **added})
    assert (status, asked) == (400, "")
    assert json.loads(answer)["error"]["param"] == place


async def test_a_field_that_nobody_knows_is_named_in_a_header(tmp_path: Path) -> None:
    async with serving(tmp_path) as (r, session):
        for path, plain in PLAIN.items():
            for fields, named in (({}, None), ({"frobnicate": 1, "naïve,": 2}, r"frobnicate, na\xefve?")):
                async with session.post(r.url + spelled(path), json={**plain, **fields}) as response:
                    assert (response.status, response.headers.get(HEADER)) == (200, named), path


UNKNOWN: list[tuple[str, dict[str, Any], str | None]] = [
    (CHAT, {"messages": [{"role": "user", "content": "Hi", "foo": 1}]}, "messages.0.foo"),
    (CHAT, {"messages": [*HI, {"role": "user", "content": [{"type": "text", "text": "a", "b": 1}]}]},
     "messages.1.content.0.b"),
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"schema": {"own": {}}, "bar": 1}}},
     "response_format.json_schema.bar"),
    (CHAT, {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"own": 1}, "x": 1}, "y": 1}]},
     "tools.0.y, tools.0.function.x"),
    (CHAT, {"metadata": {"own": 1}, "chat_template_kwargs": {"own": 1}, "logit_bias": {"5": 1}}, None),
    ("/v1/responses", {"input": [{"role": "user", "content": "Hi", "foo": 1}], "text": {"format": {"bar": 1}}},
     "input.0.foo, text.format.bar"),
    ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "foo": 1}]}]},
     "messages.0.content.0.foo"),
    ("/v1/messages", {"messages": [*HI, {"role": "assistant", "content": [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"own": 1}}]}, *HI]}, None),
    ("/api/chat", {"options": {"nonsense": 1, "num_gpu": 1, "seed": 3}, "format": {"own": 1}}, "options.nonsense"),
    ("/api/generate", {"options": {"a b": 1}}, "options.a b"),
    ("/api/embed", {"options": {"nonsense": 1}}, "options.nonsense"),
    ("/v1/rerank", {"documents": [{"text": "a", "own": 1}]}, None),
    ("/api/chat", {"shift": True}, "shift"),
    ("/api/generate", {"shift": False}, None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "added", "places"), UNKNOWN)
@pytest.mark.parametrize("padding", ["", " " * (40 << 10)], ids=["small", "large"])
async def test_fields_that_nobody_knows_are_named_with_their_place(
    tmp_path: Path, path: str, added: dict[str, Any], places: str | None, padding: str
) -> None:
    async with serving(tmp_path) as (r, session):
        raw = json.dumps({**PLAIN[path], **added}) + padding
        url, headers = r.url + spelled(path), {"Content-Type": "application/json"}
        async with session.post(url, data=raw, headers=headers) as response:
            assert (response.status, response.headers.get(HEADER)) == (200, places), await response.text()


async def test_unknown_options_are_named_among_very_many(tmp_path: Path) -> None:
    async with serving(tmp_path) as (r, session):
        for stop in ([], ["x" * 100] * 800):
            body = {**PLAIN["/api/chat"], "options": {"nonsense": 1, "num_gpu": stop, "seed": 3}}
            async with session.post(r.url + "/api/chat", json=body) as response:
                assert (response.status, response.headers.get(HEADER)) == (200, "options.nonsense")


@pytest.mark.parametrize("padding", ["", " " * (40 << 10)], ids=["small", "large"])
async def test_numbers_of_any_size_are_taken_where_nobody_reads_them(tmp_path: Path, padding: str) -> None:
    async with serving(tmp_path) as (r, session):
        raw = '{"model": "tiny", "messages": [{"role": "user", "content": "Hi", "odd": -1e999}], "big": [1e999]}'
        headers = {"Content-Type": "application/json"}
        async with session.post(r.url + CHAT, data=raw + padding, headers=headers) as response:
            assert (response.status, response.headers.get(HEADER)) == (200, "big, messages.0.odd")
        raw = raw.replace("big", "temperature").replace("[1e999]", "1e999")
        async with session.post(r.url + CHAT, data=raw + padding, headers=headers) as response:
            assert (response.status, (await response.json())["error"]["param"]) == (400, "temperature")


async def test_what_is_ignored_must_be_json_all_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path) as (r, session):
        raw = b'{"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "metadata": "\xff"}'
        async with session.post(r.url + CHAT, data=raw, headers={"Content-Type": "application/json"}) as response:
            assert response.status == 400


def test_the_header_stays_short_whatever_a_request_has_in_it() -> None:
    found: list[str] = []
    find = finder(schema.ChatRequest)
    assert find is not None
    find({"messages": [{f"{number}{'😀' * 500}": 1} for number in range(5000)]}, "", found)
    assert len(found) < 5000
    assert len(header_value(found)) < 1100
    assert header_value(found).startswith("messages.0.0\\U0001f600")
    assert re.search(r", and \d+ more$", header_value(found))


@pytest.mark.parametrize(
    ("part", "given"),
    [
        (chat_messages.CompletionMessage, chat.ParsedChatCompletionMessage),
        (chat_messages.CalledTool, chat.ParsedFunctionToolCall),
        (chat_messages.CalledFunction, chat.ParsedFunction),
        (chat_messages.ContentPart, chat.ChatCompletionContentPartTextParam),
        (chat_messages.FunctionTool, chat.ChatCompletionFunctionToolParam),
        (responses.Item, output.ParsedResponseOutputMessage),
        (responses.Item, output.ResponseReasoningItem),
        (responses.Item, output.ResponseFunctionToolCallParam),
        (responses.Part, output.ParsedResponseOutputText),
        (anthropic.AnthropicBlock, claude.ToolUseBlock),
        (anthropic.AnthropicBlock, claude.TextBlockParam),
        (anthropic.AnthropicBlock, claude.ToolResultBlockParam),
        (anthropic.AnthropicBlock, claude.RedactedThinkingBlock),
        (anthropic.AnthropicTool, claude.ToolParam),
    ],
)
def test_what_clients_hand_back_of_answers_is_taken_without_a_word(part: type[Fields], given: Any) -> None:
    names = given.model_fields if issubclass(given, BaseModel) else given.__annotations__
    assert set(names) <= known_names(part)


async def test_fields_that_change_nothing_are_taken_without_a_word(tmp_path: Path) -> None:
    async with serving(tmp_path) as (r, session):
        for route in REQUESTS:
            ignored = route.takes.IGNORED - set(route.takes.__struct_encode_fields__)
            body = {**PLAIN[route.path], **dict.fromkeys(ignored, "x")}
            async with session.post(r.url + spelled(route.path), json=body) as response:
                assert (response.status, response.headers.get(HEADER)) == (200, None), await response.text()


def test_the_document_shows_nothing_as_valid_that_is_refused() -> None:
    schemas = document(ROUTES, ERROR_SCHEMAS)["components"]["schemas"]
    assert REFUSED
    for part, name in REFUSED:
        wire = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))[name]
        own = vars(part).get("COMPONENT") or part.__name__
        (component,) = [schema for key, schema in schemas.items() if key in (own, f"{part.__module__}.{own}")]
        assert [value for value in component["properties"][wire]["enum"] if value is not None] in (
            [],
            [part.REFUSED[name]],
        )


def test_what_a_request_refuses_its_variants_refuse() -> None:
    variants = [(part, other) for part, other in itertools.permutations(PARTS, 2) if issubclass(part, other)]
    assert variants
    for part, other in variants:
        assert other.REFUSED.keys() <= part.REFUSED.keys()
