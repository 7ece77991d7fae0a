"""GLM 4.5 and later: a name, then each parameter as ``<arg_key>`` and ``<arg_value>``."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import partial

from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.call_forms.json_calls import json_or_text
from mlxr.models.chat.call_forms.tagged import Tags
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import json_block
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

TOOL_CALL, TOOL_CALL_END = "<tool_call>", "</tool_call>"
ARG_KEY, ARG_KEY_END = "<arg_key>", "</arg_key>"
ARG_VALUE, ARG_VALUE_END = "<arg_value>", "</arg_value>"
CALL_END = Markers((TOOL_CALL_END,))
NAME_END = Markers((ARG_KEY, TOOL_CALL_END))
KEY_END = Markers((ARG_KEY_END, TOOL_CALL_END))
VALUE_START = Markers((ARG_VALUE, TOOL_CALL_END))
VALUE_END = Markers((ARG_VALUE_END, TOOL_CALL_END))


TEMPLATE = r"""[gMASK]<sop>
{%- for message in messages -%}
{{ '<|' + ('observation' if message.role == 'tool' else message.role) + '|>\n' + message.content }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%}
"""


def tags(space: str) -> Tags:
    """Returns the tags with ``space`` between any two: a line break in 4.5 and 4.6, nothing from 4.7 on."""
    return Tags(
        opening=lambda name: (TOOL_CALL, f"{name}{space}"),
        key=((ARG_KEY,), (ARG_KEY_END, space, ARG_VALUE)),
        key_pattern=r"[^\s<>]([^<>\n]*[^\s<>])?",
        value_end=("", ARG_VALUE_END, space),
        closing=(TOOL_CALL_END,),
        also_ends=(TOOL_CALL_END,),
    )


SPACED = CallFormat(tags("\n").write, between=("\n",), sign=TOOL_CALL)
TIGHT = CallFormat(tags("").write, sign=TOOL_CALL)


class CallReader:
    """``types`` tells strings from other values."""

    def __init__(self, types: ArgumentTypes) -> None:
        self._types = types

    def read(self, reader: Reader, marker: str) -> Parse[None]:
        """``<tool_call>name<arg_key>k</arg_key><arg_value>v</arg_value>...</tool_call>``."""
        if (yield from reader.skip_space()) in ("{", "["):
            yield from json_block(reader, CALL_END)
            return
        name, end = yield from reader.collect(NAME_END)
        name = name.strip()
        if not end or not name or any(char.isspace() for char in name):
            reader.leftover(name)
            if end == ARG_KEY:
                yield from reader.until(CALL_END, ignore)
            return
        reader.call(name)
        opening = "{"
        while end == ARG_KEY:
            key, _ = yield from reader.collect(KEY_END)
            _, start = yield from reader.collect(VALUE_START)
            read = reader.collect if self._types.is_text(name, key.strip()) else partial(json_or_text, reader)
            value, end = yield from read(VALUE_END)
            if not end or start == TOOL_CALL_END:
                return
            encoded = self._types.encode(name, key.strip(), value)
            reader.arguments(f"{opening}{json.dumps(key.strip(), ensure_ascii=False)}: {encoded}")
            opening = ", "
            if end != TOOL_CALL_END:
                yield from reader.skip_space()
                end = yield from reader.accept(ARG_KEY, TOOL_CALL_END)
        reader.arguments("}" if opening == ", " else "{}")
        reader.call_done()


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={TOOL_CALL: CallReader(types).read},
        stray=(TOOL_CALL_END, ARG_KEY, ARG_KEY_END, ARG_VALUE, ARG_VALUE_END),
    )


FAMILY = Family(
    name="glm",
    signs=((ARG_KEY,),),
    formats=(((f"{ARG_KEY_END}\n",), SPACED), ((f"{ARG_KEY_END}\\n",), SPACED), ((), TIGHT)),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(Fallback("<|observation|>", TEMPLATE, 4),),
)
