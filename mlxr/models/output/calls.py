"""Tool calls written as JSON objects, streamed; and the attempt to understand those that are not quite that."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from enum import Enum
from typing import Any

from mlxr.models.output import python_literals
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers
from mlxr.models.output.python_literals import UNREADABLE, dumps

NAME_KEYS = ("name", "tool_name", "function_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
WRAPPER = "function"
SEPARATORS = ",;"
Call = tuple[str, str]
"""Name, and arguments as JSON text."""


class CallOutcome(Enum):
    """What became of the attempt to read a call.

    Attributes:
        WHOLE: the call is complete.
        NOT_A_CALL: no event was made, the reader may go back.
        BROKEN: a call was begun and can't go on.
    """

    WHOLE = "whole"
    NOT_A_CALL = "not a call"
    BROKEN = "broken"


def json_block(reader: Reader, end: Markers) -> Parse[None]:
    """Calls as JSON, one object, several, or a list, up to the first marker of ``end``.

    What is no JSON call is read as Python's notation for one, and failing that is content.
    """
    before = reader.calls
    reader.mark()
    outcome = yield from json_calls(reader)
    if outcome is CallOutcome.WHOLE:
        reader.unmark()
        yield from _past_closers(reader, end)
    elif reader.calls > before:
        reader.unmark()
        yield from reader.until(end, ignore)
    else:
        reader.rewind()
        yield from loose_block(reader, end)


def loose_block(reader: Reader, end: Markers) -> Parse[None]:
    """Calls in any notation up to the first marker of ``end``; content where there is none.

    What begins as a call, and ends with the answer before its name is known, is nothing.
    """
    body, marker = yield from reader.collect(end)
    salvaged = salvage(body)
    for name, arguments in salvaged:
        reader.whole_call(name, arguments)
    cut_off = not marker and body.lstrip().startswith(("{", "["))
    if not (salvaged or cut_off):
        reader.leftover(body)


def json_calls(reader: Reader, names: Collection[str] | None = None) -> Parse[CallOutcome]:
    """Reads one call object, or a list of them, or several one after the other. ``names``: others are no calls."""
    bracket = (yield from reader.skip_space()) == "["
    if bracket:
        reader.skip(1)
    outcome = yield from call_object(reader, names)
    while outcome is CallOutcome.WHOLE:
        char = yield from reader.skip_space()
        if char == "]" and bracket:
            reader.skip(1)
            return outcome
        if char and char in SEPARATORS:
            reader.skip(1)
            char = yield from reader.skip_space()
        if char != "{":
            return outcome
        following = yield from call_object(reader, names)
        if following is CallOutcome.BROKEN:
            return following
        if following is CallOutcome.NOT_A_CALL:
            return outcome
    return outcome


def call_object(reader: Reader, names: Collection[str] | None = None, *, inner: bool = False) -> Parse[CallOutcome]:
    """Reads one ``{"name": ..., "arguments": {...}}``, keys in any order; the arguments stream once the name is
    known."""
    if (yield from reader.peek(1)) != "{":
        return CallOutcome.NOT_A_CALL
    reader.skip(1)
    name = early = ""
    done = False
    while True:
        char = yield from reader.skip_space()
        if char == ",":
            reader.skip(1)
            continue
        if char == "}":
            reader.skip(1)
            break
        key = yield from _key(reader)
        if key is None:
            return CallOutcome.BROKEN if name else CallOutcome.NOT_A_CALL
        char = yield from reader.skip_space()
        if key == WRAPPER and char == "{" and not inner and not name:
            outcome = yield from call_object(reader, names, inner=True)
            if outcome is not CallOutcome.WHOLE:
                return outcome
            name, done = WRAPPER, True
        elif key in ARGUMENT_KEYS and name and not done:
            outcome = yield from stream_arguments(reader)
            if outcome is not CallOutcome.WHOLE:
                return outcome
            done = True
        else:
            value = yield from reader.json_text()
            if not value:
                return CallOutcome.BROKEN if name else CallOutcome.NOT_A_CALL
            if key in (*NAME_KEYS, WRAPPER) and not name:
                name = _string(value)
                if not name or (names is not None and name not in names):
                    return CallOutcome.NOT_A_CALL
                reader.call(name)
                done = bool(early)
                reader.arguments(as_object(early) if early else "")
            elif key in ARGUMENT_KEYS and not done:
                early = value
    if not name:
        return CallOutcome.NOT_A_CALL
    if not done:
        reader.arguments("{}")
    reader.call_done()
    return CallOutcome.WHOLE


def stream_arguments(reader: Reader) -> Parse[CallOutcome]:
    """Reads a call's arguments, passed on as they come. Whatever they are, what is passed on is an object."""
    char = yield from reader.skip_space()
    if char != "{":
        text = yield from reader.json_text()
        reader.arguments(as_object(text) if text else "{}")
        return CallOutcome.WHOLE if text else CallOutcome.BROKEN
    scanner = yield from reader.json(reader.arguments)
    if scanner.done:
        return CallOutcome.WHOLE
    if scanner.failed:
        reader.arguments(scanner.close())
        reader.call_done()
    return CallOutcome.BROKEN


def as_object(text: str) -> str:
    """JSON text as the text of an object: arguments also come as a string that holds one, or as null."""
    try:
        value = json.loads(text)
        if isinstance(value, str):
            value = json.loads(value, strict=False)
            text = dumps(value)
    except UNREADABLE:
        return "{}"
    return text if isinstance(value, dict) else "{}"


def salvage(body: str) -> list[Call]:
    """Returns the calls in ``body``, in JSON, as a Python literal, or as Python calls; empty where it is none of
    these."""
    for read in (_from_json, _from_literal, _from_python):
        try:
            calls = list(read(body.strip()))
        except UNREADABLE:
            continue
        if calls:
            return calls
    return []


def _from_json(body: str) -> Iterator[Call]:
    return _from_values(python_literals.from_json(body, strict=False))


def _from_literal(body: str) -> Iterator[Call]:
    return _from_values(python_literals.literal(body))


def _from_python(body: str) -> Iterator[Call]:
    return ((name, dumps(arguments)) for name, arguments in python_literals.calls(body))


def _from_values(value: Any) -> Iterator[Call]:
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict):
            raise TypeError("a call is an object")
        entry = entry[WRAPPER] if isinstance(entry.get(WRAPPER), dict) else entry
        name = next((entry[key] for key in (*NAME_KEYS, WRAPPER) if isinstance(entry.get(key), str)), "")
        if not name:
            raise KeyError("name")
        arguments: Any = next((entry[key] for key in ARGUMENT_KEYS if key in entry), {})
        yield name, as_object(dumps(arguments))


def _key(reader: Reader) -> Parse[str | None]:
    """Reads a key and its colon; None where there is no such thing."""
    if (yield from reader.peek(1)) != '"':
        return None
    text = yield from reader.json_text()
    if not text or (yield from reader.skip_space()) != ":":
        return None
    reader.skip(1)
    return _string(text)


def _string(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else ""


def _past_closers(reader: Reader, end: Markers) -> Parse[None]:
    """Superfluous brackets and the end marker, if they come next."""
    while (char := (yield from reader.skip_space())) and char in "}])":
        reader.skip(1)
    yield from reader.accept(*end.strings)
