"""Large request bodies, decoded in chunks.

msgspec holds the interpreter from a call's beginning to its end, so even on a worker thread one call for megabytes
would stop the event loop. Here it is found out where values begin and end (``json_scan``), and msgspec parses some
kilobytes at a time; between two of them the loop has its turn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
import numpy as np

from mlxr.api.errors import invalid
from mlxr.http.fields import Fields, RefusedFieldError, hints, wire_names
from mlxr.http.request_body.decode import Decoded, Parser, converted
from mlxr.http.request_body.json_scan import (
    LIST,
    OBJECT,
    QUOTE,
    Text,
    between_characters,
    no_json,
    string_end,
    stripped,
    top_level_commas,
)
from mlxr.http.request_body.nulls import left_out_if_null
from mlxr.http.request_body.unknown_fields import MAX_FIELDS, alternatives, dotted, finder, known_names, note
from mlxr.runtime.errors import RequestError

CHUNK = 64 << 10
"""Bytes parsed in one go: a tenth of a millisecond for text, up to a millisecond for small values."""

BUSY_SECONDS, PAUSE = 0.0005, 0.0001
"""After how many seconds of work it pauses, and for how long. A pause for every value would make tiny ones slow."""

DEEPEST = 20
"""Levels that are taken apart; what is still large below them is parsed as it is."""


def decode_chunked(raw: bytes, type: type[Fields], chunk: int = CHUNK) -> Decoded:
    """Returns what ``decode`` makes of ``raw``, or raises the like, in chunks of about ``chunk`` bytes."""
    decoder = _ChunkedDecoder(chunk)
    made = decoder.value(stripped(memoryview(raw)), type, "", 0)
    decoder.parser.check_range(made)
    return Decoded(made, decoder.unknown)


class _ChunkedDecoder:
    """Decodes one body. ``unknown``: the places of what its type does not know, so far."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._paused = time.perf_counter()
        self.parser = Parser()
        self.unknown: list[str] = []

    def value(self, raw: Text, wanted: Any, place: str, depth: int) -> Any:
        """Returns ``raw``, without space around it, as ``wanted``. ``place``: where it stands in the body."""
        if len(raw) <= self._chunk or depth >= DEEPEST or raw[0] not in (QUOTE, LIST, OBJECT):
            parsed = self._parse(raw)
            self._find(parsed, wanted, place)
            return self._converted(parsed, wanted, place)
        kinds = alternatives(wanted)
        if raw[0] == QUOTE and (str in kinds or Any in kinds):
            return self._converted(self._string(raw), wanted, place)
        for kind in kinds:
            if raw[0] == LIST and (kind is Any or get_origin(kind) is list):
                return self._list(raw, _argument(kind, 0), place, depth)
            if raw[0] == OBJECT and isinstance(kind, type) and issubclass(kind, Fields):
                return self._struct(raw, kind, place, depth)
            if raw[0] == OBJECT and (kind is Any or get_origin(kind) is dict):
                return self._dict(raw, wanted, _argument(kind, 1), place, depth)
        return self._converted(self.value(raw, Any, place, depth), wanted, place)

    def _string(self, raw: Text) -> str:
        """Returns a string, which is cut between characters and escapes."""
        pieces: list[str] = []
        at, end = 1, len(raw) - 1
        while at < end:
            stop = min(at + self._chunk, end)
            if stop < end:
                stop = between_characters(raw, at, stop)
            pieces.append(self._parse(_enclosed(b'"', raw[at:stop], b'"')))
            at = stop
        return "".join(pieces)

    def _list(self, raw: Text, item: Any, place: str, depth: int) -> list[Any]:
        items: list[Any] = []
        for first, count, part in self._parts(raw):
            if count == 1:
                items.append(self.value(part, item, f"{place}[{first}]", depth + 1))
            else:
                items += self._items(self._parse(_enclosed(b"[", part, b"]")), item, place, first)
        return items

    def _items(self, parsed: list[Any], item: Any, place: str, first: int) -> list[Any]:
        """Returns neighbours in a list, the first of which is number ``first``."""
        if finder(item):
            for index, given in enumerate(parsed, first):
                if len(self.unknown) >= MAX_FIELDS:
                    break
                self._find(given, item, f"{place}[{index}]")
        try:
            made: list[Any] = self._converted(parsed, list[item], place)
        except RequestError:
            # Once more, one by one, for the number of the one that is wrong.
            for index, given in enumerate(parsed, first):
                converted(given, item, f"{place}[{index}]")
            raise
        return made

    def _dict(self, raw: Text, wanted: Any, item: Any, place: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _, count, part in self._parts(raw):
            if count == 1:
                name, member = self._member(part)
                made[name] = self.value(member, item, f"{place}.{name}", depth + 1)
            else:
                made |= self._converted(self._parse(_enclosed(b"{", part, b"}")), dict[str, item], place)
        self._find(made, wanted, place)
        return made

    def _struct(self, raw: Text, type: type[Fields], place: str, depth: int) -> Fields:
        wanted, names, known = hints(type), wire_names(type), known_names(type)
        absent = left_out_if_null(type)
        values: dict[str, Any] = {}
        for _, count, part in self._parts(raw):
            # Members are parsed even where nobody knows them: they may be no JSON.
            if count == 1:
                name, member = self._member(part)
                if name in absent and len(member) == 4 and bytes(member) == b"null":
                    continue
                inside = _inside(place, name)
                made = self.value(member, wanted[names[name]] if name in names else Any, inside, depth + 1)
                given = {name: made}
            else:
                given = self._parse(_enclosed(b"{", part, b"}"))
                for name in given.keys() & names.keys():
                    if name in absent and given[name] is None:
                        del given[name]
                        continue
                    hint = wanted[names[name]]
                    self._find(given[name], hint, _inside(place, name))
                    given[name] = self._converted(given[name], hint, _inside(place, name))
            values |= {names[name]: made for name, made in given.items() if name in names}
            note(self.unknown, dotted(place), [name for name in given if name not in known])
        for field in msgspec.structs.fields(type):
            if field.required and field.name not in values:
                missing = f"object missing required field `{field.encode_name}`"
                raise invalid(f"`{place}`: {missing}" if place else missing, place or field.encode_name)
        try:
            return type(**values)
        except RefusedFieldError as error:
            raise error.at(place) from error

    def _parts(self, raw: Text) -> Iterator[tuple[int, int, Text]]:
        """Yields a list's items, or an object's members, as many together as make a chunk: the number of the first, how
        many, and their text."""
        ends = np.append(top_level_commas(raw, self._chunk), len(raw) - 1)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) + 1 if first else 1
            last = max(first + 1, int(np.searchsorted(ends, begin + self._chunk, "right")))
            part = stripped(raw[begin : int(ends[last - 1])])
            if part or len(ends) > 1:
                yield first, last - first, part
            first = last

    def _member(self, raw: Text) -> tuple[str, Text]:
        """Returns the name and the value of an object's member."""
        if raw and raw[0] == QUOTE:
            end = string_end(raw)
            name = self._parse(raw[:end])
            rest = stripped(raw[end:])
            if rest and rest[0] == ord(":"):
                return name, stripped(rest[1:])
        raise no_json("an object's member has no value")

    def _find(self, parsed: Any, wanted: Any, place: str) -> None:
        if find := finder(wanted):
            find(parsed, dotted(place), self.unknown)

    def _parse(self, raw: bytes | Text) -> Any:
        return self._then_pause(self.parser.parse(raw))

    def _converted(self, parsed: Any, wanted: Any, place: str) -> Any:
        return parsed if wanted is Any else self._then_pause(converted(parsed, wanted, place))

    def _then_pause(self, made: Any) -> Any:
        """Returns ``made``, when the loop had its turn: without a pause this thread would only go on."""
        if time.perf_counter() - self._paused > BUSY_SECONDS:
            time.sleep(PAUSE)
            self._paused = time.perf_counter()
        return made


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _enclosed(opening: bytes, part: Text, closing: bytes) -> bytes:
    return b"".join((opening, part, closing))


def _argument(kind: Any, index: int) -> Any:
    return Any if kind is Any else get_args(kind)[index]
