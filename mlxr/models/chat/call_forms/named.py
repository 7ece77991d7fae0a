"""Reads calls that give a name, a separator, and JSON."""

from __future__ import annotations

from mlxr.models.output.calls import CallOutcome, stream_arguments
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers


def named_arguments(reader: Reader, name: str, end: Markers) -> Parse[None]:
    """Reads the arguments of a call whose name is known, and what closes it."""
    reader.call(name)
    outcome = yield from stream_arguments(reader)
    if outcome is CallOutcome.WHOLE:
        reader.call_done()
        yield from reader.skip_space()
        yield from reader.accept("```")
        yield from reader.skip_space()
        yield from reader.accept(*end.strings)
    else:
        yield from reader.until(end, ignore)


def no_call(reader: Reader, text: str, end: str) -> None:
    """What stands where a name should is content, unless the answer ended (``end`` is empty) within a name."""
    if end or not is_name(text.strip()):
        reader.leftover(text)


def is_name(text: str) -> bool:
    return bool(text) and not any(char.isspace() for char in text)
