"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as bytes."""

from __future__ import annotations

from typing import Any

from mlxr.api.one_line_json import one_line_json

DONE = b"data: [DONE]\n\n"


def data(value: Any) -> bytes:
    """Returns an event without a name."""
    return b"data: " + one_line_json(value) + b"\n\n"


def event(name: str, value: Any, id: str = "") -> bytes:
    """Returns an event. ``id``: what a client that comes back has seen last; '' for none."""
    return written(name, one_line_json(value), id)


def written(name: str, body: bytes, id: str = "") -> bytes:
    """Returns the event whose data is ``body``, JSON of one line."""
    numbered = b"id: " + id.encode() + b"\n" if id else b""
    return numbered + b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"
