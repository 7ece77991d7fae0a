"""Transports other than HTTP need nothing but ``mlxr.api``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mlxr.api.transport import TransportSpec
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Failed
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import rig
from tests.test_imports import imports

LINES = TransportSpec("tests.api.line_transport:make", "{}")


async def ask(address: str, *lines: bytes) -> list[bytes]:
    host, _, port = address.removeprefix("line://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.writelines(lines)
    answers = [await asyncio.wait_for(reader.readline(), 5) for _ in lines]
    writer.close()
    return answers


async def test_a_transport_of_another_kind_answers_beside_http(tmp_path: Path) -> None:
    async with rig(tmp_path, transports=[LINES]) as r:
        _, line = r.actor.addresses
        assert await ask(line, b"Hi\n", b"Ho\n") == ["Hello wörld\n".encode()] * 2
        first, _ = r.got(Generate)
        assert (first.client, first.stop_strings) == ("a client", ["\n"])


async def test_its_failures_have_codes_that_are_none_of_https(tmp_path: Path) -> None:
    async with rig(tmp_path, transports=[LINES]) as r:
        r.on_generate = lambda command: [Failed(command.request, ErrorInfo(ErrorCode.QUEUE_FULL, "too many"))]
        assert await ask(r.actor.addresses[1], b"Hi\n") == [b"error queue_full: too many\n"]


def test_it_is_made_of_the_api_and_of_messages_alone() -> None:
    used = {name for name in imports(Path(__file__).with_name("line_transport.py")) if name.startswith("mlxr")}
    assert used
    assert all(name.startswith(("mlxr.api.", "mlxr.runtime.")) for name in used)
