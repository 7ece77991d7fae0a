"""Messages from actors of a loop to an actor of the same loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

LARGE = 64 << 10
"""Bytes of a message from which on it is handed over rather than copied: a prompt may have megabytes."""


class LoopQueue:
    """From actors of a loop to an actor of the same loop.

    Both ends count, so nobody is woken: a socket that is never read beyond its last message never goes to sleep, and
    its peer signals nothing. Signals are most of what a hop costs (two dozen system calls).

    Attributes:
        count: messages on their way.
        wake: has the loop call the consumer, None while there is none.
        called: it will be called anyway.
    """

    def __init__(self, context: zmq.Context[Any], endpoint: str) -> None:
        self.pull = context.socket(zmq.PULL)
        self.pull.setsockopt(zmq.RCVHWM, 0)
        self.pull.bind(endpoint)
        self._push = context.socket(zmq.PUSH)
        self._push.setsockopt(zmq.SNDHWM, 0)
        self._push.connect(endpoint)
        self.count = 0
        self.called = False
        self.wake: Callable[[], object] | None = None

    def put(self, raw: bytes) -> None:
        self._push.send(raw, zmq.NOBLOCK, copy=len(raw) < LARGE)
        self.count += 1
        self.call()

    def call(self) -> None:
        if self.count and not self.called and self.wake is not None:
            self.called = True
            self.wake()

    def close(self) -> None:
        self._push.close(linger=0)
        self.pull.close(linger=0)
