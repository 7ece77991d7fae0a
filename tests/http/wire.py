"""HTTP over a bare socket, for what client libraries would not send."""

from __future__ import annotations

import anyio
from anyio.abc import SocketStream

from tests.http.rig import Rig


async def connect(r: Rig) -> SocketStream:
    """A connection to the rig's first listener."""
    return await anyio.connect_tcp("127.0.0.1", int(r.url.rpartition(":")[2]))


async def exchange(r: Rig, *pieces: bytes, pause: float = 0.0, half_close: bool = False) -> bytes:
    """All that the server says until it closes the connection, to ``pieces`` sent one by one."""
    async with await connect(r) as stream:
        for piece in pieces:
            await stream.send(piece)
            await anyio.sleep(pause)
        if half_close:
            await stream.send_eof()
        return await rest(stream)


async def rest(stream: SocketStream) -> bytes:
    """All that comes until the server closes the connection; it must within some seconds."""
    answer = b""
    with anyio.fail_after(10):
        async for data in stream:
            answer += data
    return answer


def reply_of(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body as it came."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body
