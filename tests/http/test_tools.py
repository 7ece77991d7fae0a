"""Tools on every surface that takes some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import ask, rig

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Hi"}]
FUNCTION = {"name": "", "parameters": {"type": "object"}}
NAMELESS = [{"type": "function", "function": FUNCTION}]
F = {"type": "function", "name": "f"}
SPACE = [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function", "name": "f"}]}}


@pytest.mark.parametrize(
    ("path", "fields", "place"),
    [
        ("/v1/chat/completions", {"messages": HI, "tools": NAMELESS},
         "tools[0].function.name"),
        ("/v1/chat/completions", {"messages": HI, "tool_choice": ALLOWED, "tools": []},
         "tool_choice.allowed_tools.tools[0].function"),
        ("/v1/responses", {"input": "Hi", "tools": NAMELESS}, "tools[0].name"),
        ("/v1/responses", {"input": "Hi", "tools": SPACE},
         "tools[0].tools[0].name"),
        ("/v1/responses", {"input": [{"type": "function_call", "call_id": "a", "arguments": "{}"}]}, "input[0].name"),
        ("/v1/responses", {"input": "Hi", "tools": [F], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ("/v1/responses", {"input": "Hi", "tools": [F], "tool_choice": {"type": "allowed_tools", "tools": [{}]}},
         "tool_choice.tools[0].name"),
        ("/v1/messages", {"messages": HI, "max_tokens": 9, "tools": [{"name": ""}]}, "tools[0].name"),
        ("/v1/messages", {"messages": HI, "max_tokens": 9, "tools": [{"name": "f"}], "tool_choice": {"type": "tool"}},
         "tool_choice.name"),
        ("/api/chat", {"messages": HI, "tools": NAMELESS}, "tools[0].function.name"),
    ],
)  # fmt: skip
async def test_a_function_without_a_name_is_refused_where_it_stands(
    tmp_path: Path, path: str, fields: dict[str, Any], place: str
) -> None:
    async with rig(tmp_path) as r:
        status, body, _ = await ask(r, "POST", path, json={"model": "tiny", **fields})
        assert not r.got(Generate)
    error = body["error"]
    assert status == 400
    assert f"`{place}` is missing" in (error if isinstance(error, str) else error["message"])
