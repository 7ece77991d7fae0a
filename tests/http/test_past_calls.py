"""Calls in a conversation's history, whose arguments clients hand back as models, and their own code, made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mlxr.models.chat import ChatTemplate
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate
from tests.http.cases.plain import CHAT, HI, MESSAGES, PLAIN, RESPONSES
from tests.http.rig import rig
from tests.models.chat.conversations import DATA

OLLAMA = "/api/chat"
SHOWN = [
    (None, "{}"),
    ("", "{}"),
    ("null", "{}"),
    (" ", "{}"),
    ({}, "{}"),
    ({"city": "Rome"}, '{"city": "Rome"}'),
    ('{"city": "Rome"}', '{"city": "Rome"}'),
    ('"{\\"city\\": \\"Rome\\"}"', '{"city": "Rome"}'),
    ("[1]", "[1]"),
    ([1], "[1]"),
    ("5", "5"),
    (5, "5"),
    (False, "false"),
    ('"Rome"', '"Rome"'),
    ("Rome", "Rome"),
]


def history(path: str, arguments: Any, name: str = "weather") -> dict[str, Any]:
    """A conversation with a call and its result, as the route writes it."""
    function = {"name": name, "arguments": arguments}
    if path == RESPONSES:
        call = {"type": "function_call", "call_id": "c1", **function}
        output = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
        return {"input": [{"role": "user", "content": "Hi"}, call, output]}
    if path == MESSAGES:
        call = {"type": "tool_use", "id": "c1", "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": "c1", "content": "rain"}
        return {"messages": [*HI, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]}
    call = {"id": "c1", "function": function} | ({"type": "function"} if path == CHAT else {})
    result = {"role": "tool", "content": "rain", "tool_call_id": "c1"}
    return {"messages": [*HI, {"role": "assistant", "content": "", "tool_calls": [call]}, result]}


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, OLLAMA])
async def test_a_conversation_goes_on_whatever_a_past_calls_arguments_are(tmp_path: Path, path: str) -> None:
    template = ChatTemplate((DATA / "qwen3.jinja").read_text())
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        for arguments, shown in SHOWN:
            if path in (CHAT, RESPONSES) and not isinstance(arguments, str | None):
                continue  # OpenAI's are text.
            body = {**PLAIN[path], **history(path, arguments), "stream": False}
            async with session.post(r.url + path, json=body) as response:
                assert response.status == 200, (arguments, await response.text())
            prompt = r.got(Generate)[-1].prompt
            assert isinstance(prompt, ChatPrompt)
            text = template.render(prompt).text
            assert f'{{"name": "weather", "arguments": {shown}}}' in text, arguments
            assert "rain" in text


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, OLLAMA])
async def test_a_past_call_without_a_name_is_refused_by_its_place(tmp_path: Path, path: str) -> None:
    body = {**PLAIN[path], **history(path, "{}", name="")}
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session, session.post(r.url + path, json=body) as answer:
        assert answer.status == 400
        assert ".name` is missing" in await answer.text()
