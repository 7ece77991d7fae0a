"""Who sent the request that a task is at work on. Every request has a task of its own, and those that it starts share
what is set here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

CALLER: Final = ContextVar("caller", default="")
"""A digest of the key, or the address where none is needed."""
