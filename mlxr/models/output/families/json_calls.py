"""JSON between markers (Hermes, Qwen, SmolLM, Phi-4-mini, Granite), and JSON alone (Llama 3)."""

from __future__ import annotations

import re
from collections.abc import Collection

from mlxr.models.output.calls import NAME_KEYS, WRAPPER, Outcome, json_block, json_calls, loose_block, stream_arguments
from mlxr.models.output.grammar import Bare, Grammar, Handler
from mlxr.models.output.reader import Markers, Reader, Step, ignore

TOOL_CALL = {"<tool_call>": "</tool_call>"}
PYTHON_TAG = "<|python_tag|>"
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

    def read(reader: Reader, marker: str) -> Step[None]:
        yield from json_block(reader, markers)

    return read


def hermes(names: Collection[str]) -> Grammar:
    return Grammar(
        calls={"<tool_call>": between("</tool_call>"), FUNCTION: function_tag},
        stray=("</tool_call>", "</function>", "<tools>", "</tools>", "<tool_response>", "</tool_response>"),
    )


def bracketed(names: Collection[str]) -> Grammar:
    """A JSON list behind a marker that may never be closed."""
    return Grammar(
        calls={
            "<|tool_call|>": between("<|/tool_call|>", "</|tool_call|>"),
            "<tool_call>": between("</tool_call>"),
            "functools[": functools,
        },
        stray=("<|/tool_call|>", "</|tool_call|>", "</tool_call>"),
    )


def functools(reader: Reader, marker: str) -> Step[None]:
    """``functools[{...}, ...]``, Phi-4-mini's other habit."""
    reader.skip(-1)
    yield from json_block(reader, Markers(("\n\n",)))


def llama3(names: Collection[str]) -> Grammar:
    return Grammar(
        calls={PYTHON_TAG: python_tag, FUNCTION: function_tag, "<tool_call>": between("</tool_call>")},
        stray=("<|eom_id|>", FUNCTION_END, "</tool_call>"),
        bare=bare(names),
    )


def bare(names: Collection[str]) -> Bare:
    """An answer that begins with a JSON call of a known function is that call; any other JSON is an answer."""

    def read(reader: Reader) -> Step[bool]:
        reader.mark()
        char = yield from reader.skip_space()
        if not char or char not in "{[":
            reader.rewind()
            return False
        outcome = yield from json_calls(reader, names)
        if outcome is Outcome.BROKEN:
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
    """Whether ``text``, which was cut off, may be the beginning of a call of one of ``names``."""
    found = BEGINNING.fullmatch(text)
    if found is None:
        return False
    key, colon, name = found["key"] or "", found["colon"], found["name"] or ""
    known = {"type": (WRAPPER,), **dict.fromkeys(NAME_KEYS, tuple(names))}
    if not colon:
        return any(each.startswith(key) for each in known)
    return any(value.startswith(name) for value in known.get(key, ()))


def python_tag(reader: Reader, marker: str) -> Step[None]:
    """``<|python_tag|>`` with JSON, or with a call in Python's notation, to the end of the message."""
    end = Markers(("<|eom_id|>", "<|eot_id|>"))
    if (yield from reader.skip_space()) in ("{", "["):
        yield from json_block(reader, end)
    else:
        yield from loose_block(reader, end)


def function_tag(reader: Reader, marker: str) -> Step[None]:
    """``<function=name>{...}</function>``."""
    name, end = yield from reader.collect(NAME_END)
    if not end:
        return
    reader.call(name.strip().strip('"'))
    outcome = yield from stream_arguments(reader)
    if outcome is Outcome.WHOLE:
        reader.call_done()
        yield from reader.skip_space()
        yield from reader.accept(FUNCTION_END)
    else:
        yield from reader.until(Markers((FUNCTION_END,)), ignore)
