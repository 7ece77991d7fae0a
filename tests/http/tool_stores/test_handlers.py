"""Other tools' models through the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import RegistryReply
from mlxr.runtime.messages.registry import ImportModels, ListToolModels
from tests.http.rig import ask, rig


def told(message: Message) -> list[Message]:
    """A registry's script: what it was asked for."""
    assert isinstance(message, ImportModels | ListToolModels)
    assert message.request is not None
    names = message.names if isinstance(message, ImportModels) else []
    body = json.dumps([message.tool, names]).encode()
    return [RegistryReply(message.request, "success", last=True, body=body)]


async def test_what_the_registry_says_of_stores_is_passed_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_registry = told
        assert (await ask(r, "GET", "/api/stores"))[:2] == (200, ["", []])
        assert (await ask(r, "GET", "/api/stores?tool=ollama"))[1] == ["ollama", []]
        body = {"models": ["tiny:1b"], "from": "ollama", "name": "mine"}
        assert (await ask(r, "POST", "/api/import", json=body))[:2] == (200, ["ollama", ["tiny:1b"]])
        assert r.got(ImportModels)[0].name == "mine"


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "/api/stores?tool=nope", None, "it may be ollama, lmstudio, huggingface, llama.cpp"),
        ("POST", "/api/import", {"from": "nope"}, "it may be ollama"),
        ("POST", "/api/import", {}, "give `models`, or `from`"),
        ("POST", "/api/import", {"models": "x"}, "models"),
    ],
)
async def test_a_wrong_request_says_what_may_be_asked(
    method: str, path: str, body: object, said: str, tmp_path: Path
) -> None:
    async with rig(tmp_path) as r:
        status, answer, _ = await ask(r, method, path, json=body)
        assert status == 400
        assert said in answer["error"]
