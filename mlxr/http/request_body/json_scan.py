"""Where values begin and end in the bytes of JSON, found by NumPy some kilobytes at a time.

Nothing here decodes, and nothing is copied but what is looked at: a copy of megabytes would hold the interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlxr.api.errors import invalid
from mlxr.runtime.errors import RequestError

Text = memoryview
Positions = NDArray[np.int64]

QUOTE, OBJECT, LIST = b'"{['

_NEAR = 1 << 10
"""Bytes that are searched in one go for the end of a string or of a space: one by one would take seconds for megabytes
of them."""

_SPACE = b" \t\r\n"
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)", re.DOTALL)
"""An escape, or the pair of them that stands for a character beyond the first 65,536."""

_QUOTE_OR_ESCAPE = re.compile(rb'"|\\.', re.DOTALL)
_CLOSERS = {OBJECT: ord("}"), LIST: ord("]")}
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"{[")], _STEPS[list(b"}]")] = 1, -1
_COUNTED = np.zeros(256, np.bool_)
_COUNTED[list(b",{[")] = True


def count_values(body: bytes, chunk: int) -> int:
    """Returns about how many values JSON has: its commas and opening brackets, those within strings left out."""
    data = np.frombuffer(body, np.uint8)
    count = 1
    for _, part, quoted in _chunks(data, chunk):
        count += int(np.count_nonzero(_COUNTED[part] & ~quoted))
    return count


def top_level_commas(raw: Text, chunk: int) -> Positions:
    """Returns where the commas of a list or an object are, those of what is within it left out. Raises
    ``RequestError`` where brackets or quotes do not match."""
    if _CLOSERS[raw[0]] != raw[-1]:
        raise no_json("brackets do not match")
    data = np.frombuffer(raw, np.uint8)
    found: list[Positions] = []
    depth = 0
    open_quote = False
    for start, part, quoted in _chunks(data, chunk):
        steps = np.take(_STEPS, part)
        steps[quoted] = 0
        depths = np.cumsum(steps, dtype=np.int32) + depth
        depth, open_quote = int(depths[-1]), bool(quoted[-1])
        last = start + len(part) == len(data)
        if depths[: -1 if last else None].min(initial=1) < 1:
            raise no_json("brackets do not match")
        found.append(np.flatnonzero((depths == 1) & ~quoted & (part == ord(","))) + start)
    if open_quote or depth:
        raise no_json("it ends too early")
    return np.concatenate(found)


def string_end(raw: Text) -> int:
    """Returns where the string that ``raw`` begins with ends. Raises ``RequestError`` where it does not."""
    at = 1
    while at < len(raw):
        near = bytes(raw[at : at + _NEAR])
        for mark in _QUOTE_OR_ESCAPE.finditer(near):
            if mark[0] == b'"':
                return at + mark.end()
        # An escape may be cut in two at the end of what was searched.
        at += len(near) - (1 if near.endswith(b"\\") and _unpaired(near) else 0) or 1
    raise no_json("it ends too early")


def between_characters(raw: Text, start: int, stop: int) -> int:
    """Returns the first position from ``stop`` on that is within neither a character nor an escape of a string, whose
    text begins at ``start``."""
    while raw[stop] & 0xC0 == 0x80:
        stop += 1
    near = max(start, stop - 12)
    while near > start and raw[near - 1] == ord("\\"):
        near -= 1
    for escape in _ESCAPE.finditer(raw, near, min(stop + 12, len(raw))):
        if escape.start() < stop < escape.end():
            return escape.end()
    return stop


def stripped(raw: Text) -> Text:
    """Returns ``raw`` without space around it."""
    start, end = 0, len(raw)
    while start < end and raw[start] in _SPACE:
        near = bytes(raw[start : start + _NEAR])
        start += len(near) - len(near.lstrip(_SPACE))
    while end > start and raw[end - 1] in _SPACE:
        near = bytes(raw[max(start, end - _NEAR) : end])
        end -= len(near) - len(near.rstrip(_SPACE))
    return raw[start:end]


def no_json(reason: str) -> RequestError:
    return invalid(f"the request body is no valid JSON: {reason}")


def _chunks(data: NDArray[np.uint8], chunk: int) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.bool_]]]:
    """Yields ``data`` in chunks: where each begins, its bytes, and which of them are within strings: from a string's
    first quote up to its last, which does not count itself."""
    open_quotes = 0
    escaped = False
    for start in range(0, len(data), chunk):
        part = data[start : start + chunk]
        slashes = np.flatnonzero(part == ord("\\"))
        if escaped and len(slashes) and slashes[0] == 0:
            slashes = slashes[1:]
        quotes = part == ord('"')
        quotes[0] &= not escaped
        behind = _escaped(slashes)
        escaped = len(behind) > 0 and int(behind[-1]) == len(part)
        quotes[behind[: len(behind) - escaped]] = False
        quoted = ((np.cumsum(quotes, dtype=np.int32) + open_quotes) & 1).astype(bool)
        open_quotes = int(quoted[-1])
        yield start, part, quoted


def _escaped(slashes: Positions) -> Positions:
    """Returns what stands behind an odd number of the backslashes at ``slashes``."""
    if not len(slashes):
        return slashes
    gaps = np.flatnonzero(np.diff(slashes) != 1)
    firsts, lasts = slashes[np.append(0, gaps + 1)], slashes[np.append(gaps, -1)]
    behind: Positions = lasts[(lasts - firsts) % 2 == 0] + 1
    return behind


def _unpaired(text: bytes) -> bool:
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1
