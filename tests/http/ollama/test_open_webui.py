"""Requests in the forms that Open WebUI gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from mlxr.http.request_body.unknown_fields import HEADER
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import RegistryReply
from mlxr.runtime.messages.registry import PullModel
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, ToolCall
from tests.http.rig import rig

HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"index": 0, "id": None, "function": {"name": "f", "arguments": {"city": "Rome"}}},
            {"index": 1, "id": "call_b", "function": {"name": "g", "arguments": None}},
        ],
    },
    {"role": "tool", "content": "rain", "tool_call_id": "call_b"},
]


async def test_calls_that_are_fed_back_may_have_a_number_and_no_id(tmp_path: Path) -> None:
    body = {"model": "tiny", "messages": HISTORY, "stream": False}
    async with rig(tmp_path) as r, aiohttp.ClientSession(r.url) as session:
        answer = await session.post("/api/chat", json=body)
        assert (answer.status, answer.headers.get(HEADER)) == (200, None)
        prompt = r.got(Generate)[0].prompt
        assert isinstance(prompt, ChatPrompt)
        assert prompt.messages[1].tool_calls == [ToolCall(None, "f", '{"city":"Rome"}'), ToolCall("call_b", "g", "{}")]


async def test_a_pull_may_be_allowed_to_be_insecure(tmp_path: Path) -> None:
    def pulled(message: PullModel) -> list[Message]:
        return [RegistryReply(message.request, "success", last=True, body=b"null")]

    async with rig(tmp_path) as r, aiohttp.ClientSession(r.url) as session:
        r.on_registry = pulled
        answer = await session.post("/api/pull", json={"model": "m", "name": "m", "insecure": True, "stream": False})
        assert (answer.status, await answer.json()) == (200, {"status": "success"})


async def test_what_may_be_left_out_may_be_null(tmp_path: Path) -> None:
    nothing = {"prompt": None, "messages": None, "tools": None, "options": None, "format": None, "think": None}
    async with rig(tmp_path) as r, aiohttp.ClientSession(r.url) as session:
        r.on_registry = lambda message: [RegistryReply(message.request, "success", last=True, body=b"null")]
        for path in ("/api/generate", "/api/chat", "/api/embed", "/api/embeddings"):
            answer = await session.post(path, json={"model": "tiny", "input": None, **nothing, "stream": False})
            assert answer.status == 200, await answer.text()
