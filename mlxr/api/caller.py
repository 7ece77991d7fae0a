"""Who sent the request that a task is at work on. Every request has a task of its own, and those that it starts share
what is set here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from msgspec import Struct


class Caller(Struct, frozen=True):
    """A client, as a transport knows it.

    name: what its requests share their turns by (a digest of its key, or its address); None where nothing is known.
    remote: it may be on another machine, and so names models and no paths.
    route: what it asks, as the transport calls it: ``POST /v1/chat/completions``.
    """

    name: str | None = None
    remote: bool = True
    route: str = ""


NOBODY: Final = Caller()

CALLER: Final = ContextVar("caller", default=NOBODY)
"""Set by the transport before a request is handled; the frontend reads it."""
