"""Reads calls of which only this is known: what is written before them.

A call is then a JSON object that names a function, or the name of a function and a JSON object with its arguments
behind it, whatever stands between them. These are Ollama's rules for templates that show no more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mlxr.models.chat.call_forms.json_calls import bare
from mlxr.models.output.calls import CallOutcome, json_calls, salvage, stream_arguments
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import Handler, OutputSyntax

UNMARKED = ("{", "[")
_OBJECT = Markers(("{",))
_NOTHING = Markers(())


def with_calls_behind(syntax: OutputSyntax, marker: str, names: Collection[str]) -> OutputSyntax:
    """Returns ``syntax`` with calls behind ``marker``, unless it reads these already. ``names``: of the functions."""
    if not marker:
        return syntax
    if marker in UNMARKED:
        return syntax if syntax.bare is not None else replace(syntax, bare=bare(names))
    if any(known in marker or marker in known for known in syntax.calls):
        return syntax
    return replace(syntax, calls={**syntax.calls, marker: behind(names)})


def behind(names: Collection[str]) -> Handler:
    """Returns what reads calls of ``names`` up to the end of the answer. What is no call is left out beside calls, and
    is content where there are none."""

    def read(reader: Reader, marker: str) -> Parse[None]:
        before = reader.calls
        while True:
            text, found = yield from reader.collect(_OBJECT)
            if not found:
                if reader.calls == before:
                    reader.leftover(text)
                return
            reader.skip(-1)
            name = _named(text, names)
            if name:
                reader.call(name)
                if (yield from stream_arguments(reader)) is CallOutcome.WHOLE:
                    reader.call_done()
                continue
            reader.mark()
            outcome = yield from json_calls(reader, names)
            if outcome is CallOutcome.WHOLE:
                reader.unmark()
            elif reader.calls == before:
                reader.rewind()
                yield from _odd_calls(reader, names)
                return

    return read


def _odd_calls(reader: Reader, names: Collection[str]) -> Parse[None]:
    """Reads the rest of an answer, which holds calls in some other notation or none."""
    text, _ = yield from reader.collect(_NOTHING)
    found = [(name, arguments) for name, arguments in salvage(text) if name in names]
    for name, arguments in found:
        reader.whole_call(name, arguments)
    # What was cut off within a call is nothing.
    if not (found or reader.cut):
        reader.leftover(text)


def _named(text: str, names: Collection[str]) -> str:
    """Returns the name in ``text`` that begins first, the longest of those."""
    found = [(text.find(name), -len(name), name) for name in names if name in text]
    return min(found)[2] if found else ""
