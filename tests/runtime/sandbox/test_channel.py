"""Frames over a socket of the loop's."""

from __future__ import annotations

import asyncio
import socket

from mlxr.runtime.sandbox.channel import MOST_BYTES, Channel
from mlxr.runtime.sandbox.protocol import frame


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that have room for what is sent before it is read."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        end.settimeout(5)
    return ends


async def test_a_long_frame_is_read_in_pieces_between_which_others_get_the_loop() -> None:
    ours, theirs = pair()
    body = bytes(range(256)) * (3 * MOST_BYTES // 256)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with ours, theirs:
        channel = Channel(ours)
        theirs.sendall(frame(body))
        beside = asyncio.ensure_future(others())
        assert await channel.receive() == body
        beside.cancel()
    assert turns >= 3


async def test_frames_that_came_together_are_received_one_by_one() -> None:
    ours, theirs = pair()
    with ours, theirs:
        channel = Channel(ours)
        long = b"x" * (MOST_BYTES + 1)
        theirs.sendall(frame(long) + frame(b"second"))
        assert [await channel.receive() for _ in range(2)] == [long, b"second"]
