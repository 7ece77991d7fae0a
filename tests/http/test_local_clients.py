"""Clients on this machine are told from those on others, whose requests may name no paths."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from mlxr.http.local_clients import is_local
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import RegistryReply
from tests.http.rig import rig

PATH = "/private/x.gguf"
MESSAGES = [{"role": "user", "content": "hi"}]
ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/chat/completions", {"model": PATH, "messages": MESSAGES}),
    ("POST", "/v1/completions", {"model": PATH, "prompt": "x"}),
    ("POST", "/v1/embeddings", {"model": PATH, "input": "x"}),
    ("POST", "/v1/responses", {"model": PATH, "input": "x"}),
    ("POST", "/v1/messages", {"model": PATH, "messages": MESSAGES, "max_tokens": 5}),
    ("POST", "/v1/messages/count_tokens", {"model": PATH, "messages": MESSAGES}),
    ("POST", "/tokenize", {"model": PATH, "prompt": "x"}),
    ("POST", "/detokenize", {"model": PATH, "tokens": [1]}),
    ("POST", "/api/chat", {"model": PATH, "messages": MESSAGES}),
    ("POST", "/api/chat", {"model": PATH}),
    ("POST", "/api/generate", {"model": PATH, "prompt": "x"}),
    ("POST", "/api/embed", {"model": PATH, "input": "x"}),
    ("POST", "/api/embeddings", {"model": PATH, "prompt": "x"}),
    ("POST", "/api/show", {"model": PATH}),
    ("POST", "/api/pull", {"model": PATH}),
    ("POST", "/api/create", {"model": "new", "from": PATH}),
    ("POST", "/api/copy", {"source": PATH, "destination": "new"}),
    ("DELETE", "/api/delete", {"model": PATH}),
]


def not_found(message: Message) -> list[Message]:
    number = message.request  # type: ignore[attr-defined]
    return [RegistryReply(number, last=True, error=ErrorInfo(ErrorCode.MODEL_NOT_FOUND, "no model", "model"))]


@pytest.mark.parametrize("header", [{}, {"X-Forwarded-For": "192.0.2.1"}], ids=["local", "remote"])
async def test_every_command_that_may_name_a_path_says_whether_the_client_is_on_another_machine(
    tmp_path: Path, header: dict[str, str]
) -> None:
    async with rig(tmp_path) as runtime, aiohttp.ClientSession(runtime.url) as session:
        runtime.on_registry = not_found
        for number, (method, path, body) in enumerate(ROUTES, start=1):
            async with session.request(method, path, json=body, headers=header) as response:
                assert response.status == 404, (path, await response.text())
            commands = [message for address, message in runtime.heard if address == "registry"]
            assert len(commands) == number + 1, path  # one more: the frontend asked for the catalogue
            assert commands[-1].remote is bool(header), path  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("peer", "socket", "headers", "local"),
    [
        (("127.0.0.1", 5), ("127.0.0.1", 1), {}, True),
        (("127.8.9.1", 5), ("0.0.0.0", 1), {}, True),
        (("::1", 5, 0, 0), ("::", 1, 0, 0), {}, True),
        (("::ffff:127.0.0.1", 5, 0, 0), ("::", 1, 0, 0), {}, True),
        ("", "/run/mlxr.sock", {}, True),
        (("192.0.2.1", 5), ("0.0.0.0", 1), {}, False),
        (("::ffff:192.0.2.1", 5, 0, 0), ("::", 1, 0, 0), {}, False),
        (("fe80::1%lo", 5, 0, 0), ("::", 1, 0, 0), {}, False),
        (None, ("0.0.0.0", 1), {}, False),
        (("127.0.0.1", 5), ("127.0.0.1", 1), {"X-Forwarded-For": "127.0.0.1"}, False),
        (("127.0.0.1", 5), ("127.0.0.1", 1), {"Forwarded": "for=127.0.0.1"}, False),
        ("", "/run/mlxr.sock", {"X-Real-IP": "192.0.2.1"}, False),
    ],
)
def test_a_client_is_local_on_loopback_and_unix_sockets_unless_a_proxy_stands_between(
    peer: object, socket: object, headers: dict[str, str], local: bool
) -> None:
    places = {"peername": peer, "sockname": socket}
    request = SimpleNamespace(transport=SimpleNamespace(get_extra_info=places.get), headers=headers)
    assert is_local(request) is local  # type: ignore[arg-type]


def test_a_client_that_has_gone_is_not_local() -> None:
    assert not is_local(SimpleNamespace(transport=None, headers={}))  # type: ignore[arg-type]
