"""What went wrong with a connection is said in words, and tried again where that may help."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from mlxr.actors.registry.sources.transfer.http_client import interruption
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.retries import Interrupted

FATAL, INTERNAL_ERROR = b"\x02", b"\x50"


@pytest.mark.parametrize(
    ("answer", "another_try", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "does not speak TLS"),
        (b"\x15\x03\x03\x00\x02" + FATAL + INTERNAL_ERROR, True, "INTERNAL_ERROR"),
    ],
)
async def test_only_a_server_that_answers_in_something_else_speaks_no_tls(
    answer: bytes, another_try: bool, says: str
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(aiohttp.ClientSSLError) as raised:
            await session.get(f"https://127.0.0.1:{port}/")
    found = interruption("127.0.0.1", raised.value, TransferLimits())
    assert isinstance(found, Interrupted) is another_try
    assert says in str(found)
