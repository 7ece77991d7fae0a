"""Large request bodies, decoded in pieces.

msgspec holds the interpreter from a call's beginning to its end, so even on a worker thread one call for megabytes
would stop the event loop. Here NumPy finds out where values begin and end, some kilobytes at a time, and msgspec
decodes as much at a time. What is cut is never copied: a copy of megabytes holds the interpreter as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlxr.api.errors import invalid
from mlxr.http.fields import Fields, RefusedFieldError, hints, wire_names
from mlxr.http.request_body.decode import typed, untyped
from mlxr.http.request_body.unknown_fields import KEPT, alternatives, dotted, finder, known_names, note
from mlxr.runtime.errors import RequestError

PIECE = 64 << 10
"""Bytes decoded in one go: a tenth of a millisecond for text, up to a millisecond for small values."""

BUSY_SECONDS, PAUSE = 0.0005, 0.0001
"""After how many seconds of work it pauses, and for how long. A pause for every value would make tiny ones slow."""

STRETCH = 1 << 10
"""Bytes that are searched for the end of a space in one go: one by one would take seconds for megabytes of it."""

DEEPEST = 20
"""Levels that are taken apart; what is still large below them is decoded as it is."""

_SPACE = b" \t\r\n"
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u....|u....|.)", re.DOTALL)
"""An escape, or the pair of them that stands for a character beyond the first 65,536."""

_QUOTE_OR_ESCAPE = re.compile(rb'"|\\.', re.DOTALL)

QUOTE, OBJECT, LIST = b'"{['
_CLOSERS = {OBJECT: ord("}"), LIST: ord("]")}
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"{[")], _STEPS[list(b"}]")] = 1, -1
_COUNTED = np.zeros(256, np.bool_)
_COUNTED[list(b",{[")] = True

Text = memoryview
Places = NDArray[np.int64]


def decode_pieces(type: type[Fields], body: bytes, piece: int = PIECE) -> tuple[Any, list[str]]:
    """What ``body_decoder(type)`` makes of ``body``, or raises, in pieces of about ``piece`` bytes; and the places of
    what ``type`` does not know."""
    decoder = _Decoder(piece)
    return decoder.value(_stripped(memoryview(body)), type, "", 0), decoder.unknown


class _Decoder:
    def __init__(self, piece: int) -> None:
        self._piece = piece
        self._paused = time.perf_counter()
        self.unknown: list[str] = []

    def value(self, raw: Text, wanted: Any, place: str, depth: int) -> Any:
        """``raw``, without space around it, as ``wanted``. ``place``: where it stands in the body."""
        kinds = alternatives(wanted)
        if len(raw) > self._piece and depth < DEEPEST:
            if raw[0] == QUOTE and (str in kinds or Any in kinds):
                return self._text(raw, place)
            if raw[0] == LIST:
                for kind in kinds:
                    if kind is Any or get_origin(kind) is list:
                        return self._list(raw, _argument(kind, 0), place, depth)
            if raw[0] == OBJECT:
                for kind in kinds:
                    if isinstance(kind, type) and issubclass(kind, Fields):
                        return self._struct(raw, kind, place, depth)
                    if kind is Any or get_origin(kind) is dict:
                        return self._dict(raw, wanted, _argument(kind, 1), place, depth)
        made = self._typed(raw, wanted, place) if depth else typed(raw, wanted, place)
        if find := finder(wanted):
            find(self._untyped(raw, place), dotted(place), self.unknown)
        return made

    def _dict(self, raw: Text, wanted: Any, item: Any, place: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for count, part in self._members(raw):
            if count == 1:
                name, member = _member(part)
                made[name] = self.value(member, item, f"{place}.{name}", depth + 1)
            else:
                made |= self._typed(_enclosed(b"{", part, b"}"), dict[str, item], place)
        if find := finder(wanted):
            find(made, dotted(place), self.unknown)
        return made

    def _text(self, raw: Text, place: str) -> str:
        """A string, cut between characters and escapes."""
        pieces: list[str] = []
        at, end = 1, len(raw) - 1
        while at < end:
            stop = min(at + self._piece, end)
            if stop < end:
                stop = _between_characters(raw, at, stop)
            pieces.append(self._typed(b"".join((b'"', raw[at:stop], b'"')), str, place))
            at = stop
        return "".join(pieces)

    def _list(self, raw: Text, item: Any, place: str, depth: int) -> list[Any]:
        items: list[Any] = []
        for first, count, part in self._parts(raw):
            if count == 1:
                items.append(self.value(part, item, f"{place}[{first}]", depth + 1))
            else:
                items += self._run(part, item, place, first)
        return items

    def _parts(self, raw: Text) -> Iterator[tuple[int, int, Text]]:
        """A list's items, as many together as make a piece: the number of the first, how many, and their text."""
        commas = _marks(raw, self._piece)
        ends = np.append(commas, len(raw) - 1)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) + 1 if first else 1
            last = max(first + 1, int(np.searchsorted(ends, begin + self._piece, "right")))
            part = _stripped(raw[begin : int(ends[last - 1])])
            if part or len(ends) > 1:
                yield first, last - first, part
            first = last

    def _members(self, raw: Text) -> Iterator[tuple[int, Text]]:
        """An object's members, as many together as make a piece: how many, and their text."""
        return ((count, part) for _, count, part in self._parts(raw))

    def _run(self, part: Text, item: Any, place: str, first: int) -> list[Any]:
        """Neighbours in a list, the first of which is number ``first``."""
        raw = memoryview(_enclosed(b"[", part, b"]"))
        try:
            run: list[Any] = self._typed(raw, list[item], place)
        except RequestError:
            # Once more, one by one, for the number of the one that is wrong.
            commas = _marks(raw, self._piece)
            edges = [0, *commas.tolist(), len(raw) - 1]
            for index, (begin, end) in enumerate(pairwise(edges)):
                typed(_stripped(raw[begin + 1 : end]), item, f"{place}[{first + index}]")
            raise
        if find := finder(item):
            base = dotted(place)
            for index, given in enumerate(self._untyped(raw, place), first):
                if len(self.unknown) >= KEPT:
                    break
                find(given, f"{base}.{index}", self.unknown)
        return run

    def _struct(self, raw: Text, type: type[Fields], place: str, depth: int) -> Fields:
        wanted, names, known = hints(type), wire_names(type), known_names(type)
        values: dict[str, Any] = {}
        for count, part in self._members(raw):
            # Members are read even where nobody knows them: they may be no JSON.
            if count == 1:
                name, member = _member(part)
                given: dict[str, Text] = {name: member}
                if name not in names:
                    self._skip(member, f"{place}.{name}" if place else name, depth + 1)
            else:
                together = self._typed(_enclosed(b"{", part, b"}"), dict[str, msgspec.Raw], place)
                given = {name: memoryview(member) for name, member in together.items() if name in names}
                note(self.unknown, dotted(place), [name for name in together if name not in known])
            for name, member in given.items():
                if name in names:
                    inside = f"{place}.{name}" if place else name
                    values[names[name]] = self.value(_stripped(member), wanted[names[name]], inside, depth + 1)
                elif name not in known:
                    note(self.unknown, dotted(place), [name])
        for field in msgspec.structs.fields(type):
            if field.required and field.name not in values:
                missing = f"object missing required field `{field.encode_name}`"
                raise invalid(f"`{place}`: {missing}" if place else missing, place or field.encode_name)
        try:
            return type(**values)
        except RefusedFieldError as error:
            raise error.at(place) from error

    def _skip(self, raw: Text, place: str, depth: int) -> None:
        """See that ``raw`` is JSON, and make nothing of it."""
        if len(raw) <= self._piece or depth >= DEEPEST or raw[0] not in (LIST, OBJECT):
            self._typed(raw, msgspec.Raw, place)
        elif raw[0] == OBJECT:
            for count, part in self._members(raw):
                if count == 1:
                    self._skip(_member(part)[1], place, depth + 1)
                else:
                    self._typed(_enclosed(b"{", part, b"}"), msgspec.Raw, place)
        else:
            for _, count, part in self._parts(raw):
                if count == 1:
                    self._skip(part, place, depth + 1)
                else:
                    self._typed(_enclosed(b"[", part, b"]"), msgspec.Raw, place)

    def _typed(self, raw: bytes | Text, wanted: Any, place: str) -> Any:
        return self._then_pause(typed(raw, wanted, place))

    def _untyped(self, raw: Text, place: str) -> Any:
        return self._then_pause(untyped(raw, place))

    def _then_pause(self, made: Any) -> Any:
        """``made``, when the loop had its turn: without a pause this thread would only go on."""
        if time.perf_counter() - self._paused > BUSY_SECONDS:
            time.sleep(PAUSE)
            self._paused = time.perf_counter()
        return made


def _member(raw: Text) -> tuple[str, Text]:
    """The name and the value of an object's member."""
    if raw and raw[0] == QUOTE:
        end = _text_end(raw)
        name = typed(raw[:end], str, "")
        rest = _stripped(raw[end:])
        if rest and rest[0] == ord(":"):
            return name, _stripped(rest[1:])
    raise _no_json("an object's member has no value")


def _text_end(raw: Text) -> int:
    """Where the string that ``raw`` begins with ends."""
    at = 1
    while at < len(raw):
        near = bytes(raw[at : at + STRETCH])
        for mark in _QUOTE_OR_ESCAPE.finditer(near):
            if mark[0] == b'"':
                return at + mark.end()
        # An escape may be cut in two at the end of a stretch.
        at += len(near) - (1 if near.endswith(b"\\") and _unpaired(near) else 0) or 1
    raise _no_json("it ends too early")


def _unpaired(text: bytes) -> bool:
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def _enclosed(opening: bytes, part: Text, closing: bytes) -> bytes:
    return b"".join((opening, part, closing))


def count_values(body: bytes, piece: int = PIECE) -> int:
    """About how many values JSON has: its commas and opening brackets, those within strings left out."""
    data = np.frombuffer(body, np.uint8)
    count = 1
    for _, part, text in _stretches(data, piece):
        count += int(np.count_nonzero(_COUNTED[part] & ~text))
    return count


def _marks(raw: Text, piece: int) -> Places:
    """Where the commas of a list or an object are, those of what is within it left out."""
    if _CLOSERS[raw[0]] != raw[-1]:
        raise _no_json("brackets do not match")
    data = np.frombuffer(raw, np.uint8)
    found: list[Places] = []
    depth = 0
    quoted = False
    for start, part, text in _stretches(data, piece):
        steps = np.take(_STEPS, part)
        steps[text] = 0
        depths = np.cumsum(steps, dtype=np.int32) + depth
        depth, quoted = int(depths[-1]), bool(text[-1])
        last = start + len(part) == len(data)
        if depths[: -1 if last else None].min(initial=1) < 1:
            raise _no_json("brackets do not match")
        found.append(np.flatnonzero((depths == 1) & ~text & (part == ord(","))) + start)
    if quoted or depth:
        raise _no_json("it ends too early")
    return np.concatenate(found)


def _stretches(data: NDArray[np.uint8], piece: int) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.bool_]]]:
    """``data`` in pieces: where each begins, its bytes, and which of them are within strings: from a string's first
    quote up to its last, which does not count itself."""
    quoted = 0
    escaped = False
    for start in range(0, len(data), piece):
        part = data[start : start + piece]
        slashes = np.flatnonzero(part == ord("\\"))
        if escaped and len(slashes) and slashes[0] == 0:
            slashes = slashes[1:]
        quotes = part == ord('"')
        quotes[0] &= not escaped
        behind = _escaped(slashes)
        escaped = len(behind) > 0 and int(behind[-1]) == len(part)
        quotes[behind[: len(behind) - escaped]] = False
        text = ((np.cumsum(quotes, dtype=np.int32) + quoted) & 1).astype(bool)
        quoted = int(text[-1])
        yield start, part, text


def _escaped(slashes: Places) -> Places:
    """What stands behind an odd number of the backslashes at ``slashes``."""
    if not len(slashes):
        return slashes
    gaps = np.flatnonzero(np.diff(slashes) != 1)
    firsts, lasts = slashes[np.append(0, gaps + 1)], slashes[np.append(gaps, -1)]
    behind: Places = lasts[(lasts - firsts) % 2 == 0] + 1
    return behind


def _between_characters(raw: Text, start: int, stop: int) -> int:
    """The first place from ``stop`` on that is within neither a character nor an escape."""
    while raw[stop] & 0xC0 == 0x80:
        stop += 1
    near = max(start, stop - 12)
    while near > start and raw[near - 1] == ord("\\"):
        near -= 1
    for escape in _ESCAPE.finditer(raw, near, min(stop + 12, len(raw))):
        if escape.start() < stop < escape.end():
            return escape.end()
    return stop


def _stripped(raw: Text) -> Text:
    """``raw`` without space around it."""
    start, end = 0, len(raw)
    while start < end and raw[start] in _SPACE:
        near = bytes(raw[start : start + STRETCH])
        start += len(near) - len(near.lstrip(_SPACE))
    while end > start and raw[end - 1] in _SPACE:
        near = bytes(raw[max(start, end - STRETCH) : end])
        end -= len(near) - len(near.rstrip(_SPACE))
    return raw[start:end]


def _no_json(reason: str) -> RequestError:
    return invalid(f"the request body is no valid JSON: {reason}")


def _argument(kind: Any, index: int) -> Any:
    return Any if kind is Any else get_args(kind)[index]
