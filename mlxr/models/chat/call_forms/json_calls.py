"""Reads calls in JSON: between markers, in a tag that names the function, or as the whole answer."""

from __future__ import annotations

import re
from collections.abc import Collection

from mlxr.models.output.calls import NAME_KEYS, WRAPPER, CallOutcome, json_block, json_calls, stream_arguments
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import Bare, Handler

FUNCTION = "<function="
FUNCTION_END = "</function>"
NAME_END = Markers((">",))
BEGINNING = re.compile(
    r'\s*\[?\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?(?:"(?P<key>\w*)(?:"\s*(?P<colon>:)?\s*(?:"(?P<name>[^"]*)"?)?)?)?'
)
"""The first characters of a call, up to within its name."""


def between(*ends: str) -> Handler:
    """Reads JSON calls up to one of ``ends``."""
    markers = Markers(ends)

    def read(reader: Reader, marker: str) -> Parse[None]:
        yield from json_block(reader, markers)

    return read


def json_or_text(reader: Reader, end: Markers) -> Parse[tuple[str, str]]:
    """Reads a value up to the first marker of ``end``, and the marker. Strings of a value that is a JSON list or object
    may have markers in them."""
    reader.mark()
    if (yield from reader.skip_space()) in ("{", "["):
        text = yield from reader.json_text()
        if text:
            yield from reader.skip_space()
            if marker := (yield from reader.accept(*end.strings)):
                reader.unmark()
                return text, marker
    reader.rewind()
    return (yield from reader.collect(end))


def bare(names: Collection[str]) -> Bare:
    """Returns a reader: an answer that begins with a JSON call of a known function is that call; any other JSON is an
    answer."""

    def read(reader: Reader) -> Parse[bool]:
        reader.mark()
        char = yield from reader.skip_space()
        if not char or char not in "{[":
            reader.rewind()
            return False
        outcome = yield from json_calls(reader, names)
        if outcome is CallOutcome.BROKEN:
            yield from reader.drop_rest()
        if reader.calls:
            return True
        if reader.cut and _begins_call(reader.since_mark(), names):
            yield from reader.drop_rest()
            return False
        reader.rewind()
        reader.fresh = False
        return False

    return read


def _begins_call(text: str, names: Collection[str]) -> bool:
    """Tells whether ``text``, which was cut off, may be the beginning of a call of one of ``names``."""
    found = BEGINNING.fullmatch(text)
    if found is None:
        return False
    key, colon, name = found["key"] or "", found["colon"], found["name"] or ""
    known = {"type": (WRAPPER,), **dict.fromkeys(NAME_KEYS, tuple(names))}
    if not colon:
        return any(each.startswith(key) for each in known)
    return any(value.startswith(name) for value in known.get(key, ()))


def function_tag(reader: Reader, marker: str) -> Parse[None]:
    """``<function=name>{...}</function>``."""
    name, end = yield from reader.collect(NAME_END)
    if not end:
        return
    reader.call(name.strip().strip('"'))
    outcome = yield from stream_arguments(reader)
    if outcome is CallOutcome.WHOLE:
        reader.call_done()
        yield from reader.skip_space()
        yield from reader.accept(FUNCTION_END)
    else:
        yield from reader.until(Markers((FUNCTION_END,)), ignore)
