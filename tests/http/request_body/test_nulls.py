"""A field that may be left out may be null, on every route."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mlxr.http.anthropic.schema import MessagesRequest
from mlxr.http.openai.schema import ChatRequest
from mlxr.http.request_body.chunked_json import decode_chunked
from mlxr.http.request_body.decode import decode
from mlxr.http.responses.schema import ResponsesRequest
from mlxr.http.routes import ROUTES
from mlxr.runtime.errors import RequestError
from tests.http.cases.plain import CHAT, MESSAGES, PLAIN, RESPONSES

REQUESTS = [route for route in ROUTES if route.path in PLAIN and route.takes is not None]


@pytest.mark.parametrize("route", REQUESTS, ids=lambda route: route.path)
def test_a_null_is_what_leaving_it_out_is(route: Any) -> None:
    plain = PLAIN[route.path]
    expected = decode(json.dumps(plain).encode(), route.takes)
    names = [field.encode_name for field in msgspec.structs.fields(route.takes) if not field.required]
    nulls = {name: None for name in names if name not in plain}
    assert decode(json.dumps({**plain, **nulls}).encode(), route.takes) == expected


@pytest.mark.parametrize(
    ("kind", "path", "field", "given"),
    [
        (MessagesRequest, MESSAGES, "messages", [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "a", "signature": None, "text": None, "source": None}]}]),
        (ResponsesRequest, RESPONSES, "input", [{"type": None, "role": "user", "name": None, "content": "a"}]),
        (ChatRequest, CHAT, "response_format", {"type": "json_schema", "json_schema": {"name": None, "schema": {}}}),
        (ChatRequest, CHAT, "model", None),
    ],
)  # fmt: skip
def test_a_null_within_a_part_is_too(kind: Any, path: str, field: str, given: Any) -> None:
    body = {**PLAIN[path], field: given, "n" if kind is ChatRequest else "top_p": 1.0}
    without = json.dumps(_left_out(body)).encode()
    raw = json.dumps(body).encode()
    assert decode(raw, kind) == decode(without, kind)
    assert decode_chunked(raw, kind, 30) == decode(without, kind)


def _left_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _left_out(member) for name, member in value.items() if member is not None}
    return list(map(_left_out, value)) if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [{"role": None, "content": "a"}]}, "messages[0].role"),
        ({"stop": ["a", None]}, "stop[1]"),
    ],
)
def test_a_null_of_what_must_be_there_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        decode(json.dumps({**PLAIN[CHAT], **body}).encode(), ChatRequest)
    assert raised.value.info.param == param
