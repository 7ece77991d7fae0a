"""Qwen3-Coder, and Seed-OSS: a tag that names the function, and in it a tag for each parameter."""

from __future__ import annotations

import json
from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.call_forms.json_calls import FUNCTION, FUNCTION_END, json_or_text
from mlxr.models.chat.call_forms.tagged import Tags
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import json_block, loose_block
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

TOOL_CALL = "<tool_call>"
TOOL_CALL_END = "</tool_call>"
SEED_CALL = "<seed:tool_call>"
SEED_CALL_END = "</seed:tool_call>"
PARAMETER = "<parameter="
PARAMETER_END = "</parameter>"
CALL_END = Markers((TOOL_CALL_END, SEED_CALL_END))
NAME_END = Markers((">",))
# A forgotten end of the last value shows only where the whole call ends: values are code, and may hold tags.
CALL_ENDS = tuple(FUNCTION_END + between + end for end in (TOOL_CALL_END, SEED_CALL_END) for between in ("", "\n"))
VALUE_END = Markers((PARAMETER_END, *CALL_ENDS))

SEED_TURNS = r"""
{%- for message in messages -%}
{{ '<seed:bos>' + message.role + '\n' + message.content + '<seed:eos>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<seed:bos>assistant\n' }}{%- endif -%}
"""


def _tags(begin: str, end: str) -> Tags:
    return Tags(
        opening=lambda name: (begin, f"\n{FUNCTION}{name}>\n"),
        key=((PARAMETER,), (">\n",)),
        key_pattern=r"[^\s>]([^>\n]*[^\s>])?",
        value_end=("\n", PARAMETER_END, "\n"),
        closing=(f"{FUNCTION_END}\n", end),
        also_ends=(),
    )


TAGS = _tags(TOOL_CALL, TOOL_CALL_END)
SEED_TAGS = _tags(SEED_CALL, SEED_CALL_END)


class TaggedReader:
    """``types`` tells strings, which pass as they come, from values that must be whole to be read."""

    def __init__(self, types: ArgumentTypes) -> None:
        self._types = types

    def tool_call(self, reader: Reader, marker: str) -> Parse[None]:
        """``<tool_call>``: a function tag follows, or else the JSON that these models sometimes fall back to."""
        char = yield from reader.skip_space()
        if (yield from reader.accept(FUNCTION)):
            yield from self.function(reader, FUNCTION)
        elif char in ("{", "["):
            yield from json_block(reader, CALL_END)
        else:
            yield from loose_block(reader, CALL_END)

    def function(self, reader: Reader, marker: str) -> Parse[None]:
        """``<function=name>``, its parameters, ``</function>``."""
        name, closed = yield from reader.collect(NAME_END)
        if not closed:
            reader.leftover(name)
            return
        name = name.strip()
        reader.call(name)
        opening = "{"
        while True:
            yield from reader.skip_space()
            if not (yield from reader.accept(PARAMETER)):
                break
            key, closed = yield from reader.collect(NAME_END)
            if not closed:
                return
            reader.arguments(f"{opening}{json.dumps(key.strip(), ensure_ascii=False)}: ")
            opening = ", "
            if not (yield from self._value(reader, name, key.strip())):
                return
        yield from self._end(reader, opening)

    def _value(self, reader: Reader, name: str, key: str) -> Parse[bool]:
        """Reads one value; False where the text ends in it. The end of the call ends it too, and stays."""
        if self._types.is_text(name, key):
            lines = _Lines(reader)
            end = yield from reader.until(VALUE_END, lines.push)
            if end:
                reader.arguments('"')
        else:
            text, end = yield from json_or_text(reader, VALUE_END)
            if end:
                reader.arguments(self._types.encode(name, key, _unwrapped(text)))
        if end in CALL_ENDS:
            reader.skip(-len(end))
        return bool(end)

    def _end(self, reader: Reader, opening: str) -> Parse[None]:
        closed = yield from reader.accept(FUNCTION_END)
        yield from reader.skip_space()
        tail = yield from reader.accept(TOOL_CALL_END, SEED_CALL_END)
        if not (closed or tail) and (yield from reader.peek(1)):
            # Something that is no parameter: nothing of it can be used.
            closed = yield from reader.until(CALL_END, ignore)
        reader.arguments("}" if opening == ", " else "{}")
        reader.call_done()


class _Lines:
    """Passes a string value on as JSON, without the line break at either end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._started = False
        self._held = ""
        reader.arguments('"')

    def push(self, text: str) -> None:
        if not self._started:
            self._started = True
            text = text.removeprefix("\n")
        text = self._held + text
        self._held = "\n" if text.endswith("\n") else ""
        text = text.removesuffix("\n")
        self._reader.arguments(json.dumps(text, ensure_ascii=False)[1:-1])


def _unwrapped(text: str) -> str:
    return text.removeprefix("\n").removesuffix("\n")


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    tagged = TaggedReader(types)
    return OutputSyntax(
        calls={TOOL_CALL: tagged.tool_call, SEED_CALL: tagged.tool_call, FUNCTION: tagged.function},
        stray=(TOOL_CALL_END, SEED_CALL_END, FUNCTION_END, PARAMETER_END, "<tool_response>", "</tool_response>"),
    )


FAMILY = Family(
    name="qwen_coder",
    signs=((PARAMETER,),),
    formats=(
        ((SEED_CALL,), CallFormat(SEED_TAGS.write, between=("\n",), sign=SEED_CALL)),
        ((), CallFormat(TAGS.write, between=("\n",), sign=TOOL_CALL)),
    ),
    calls=calls,
    reasoning=(THINK, ("<seed:think>", "</seed:think>")),
    fallbacks=(Fallback("<seed:bos>", SEED_TURNS, 1),),
)
