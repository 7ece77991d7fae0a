"""JSON between markers (Hermes, Qwen, SmolLM, Phi-4-mini, Granite), and JSON alone (Llama 3)."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.output.calls import Outcome, json_block, json_calls, loose_block, stream_arguments
from mlxr.models.output.grammar import Bare, Grammar, Handler
from mlxr.models.output.reader import Markers, Reader, Step, ignore

TOOL_CALL = {"<tool_call>": "</tool_call>"}
PYTHON_TAG = "<|python_tag|>"
FUNCTION = "<function="
FUNCTION_END = "</function>"
NAME_END = Markers((">",))


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
        reader.rewind()
        reader.fresh = False
        return False

    return read


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
