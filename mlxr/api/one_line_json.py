"""JSON that is one line for whoever reads it line by line.

Unicode has line ends beside those that JSON escapes, and httpx, which Ollama's Python package and others read streams
with, splits lines at those, too: a piece of text that has one would be JSON cut in two.
"""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

_ENDS = {text.encode(): f"\\u{ord(text):04x}".encode() for text in ("\u0085", "\u2028", "\u2029")}
"""NEXT LINE, LINE SEPARATOR and PARAGRAPH SEPARATOR in UTF-8, and as JSON escapes them. They can only be in strings."""


def one_line_json(value: Any) -> bytes:
    raw = _encode(value)
    return raw if raw.isascii() else one_line(raw)


def one_line(raw: bytes) -> bytes:
    """Returns the JSON that ``raw`` is as ``one_line_json`` writes it."""
    for end, escape in _ENDS.items():
        raw = raw.replace(end, escape)
    return raw
