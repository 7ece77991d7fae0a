"""MiniMax M2: a tag that names the function, and in it a tag for each parameter, all calls between two markers."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import partial

from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.call_forms.json_calls import json_or_text
from mlxr.models.chat.call_forms.tagged import Tags
from mlxr.models.chat.families.family import THINK, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import loose_block
from mlxr.models.output.incremental_reader import Parse, Reader, ignore
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

BEGIN, END = "<minimax:tool_call>", "</minimax:tool_call>"
INVOKE, INVOKE_END = '<invoke name="', "</invoke>"
PARAMETER, PARAMETER_END = '<parameter name="', "</parameter>"
CALLS_END = Markers((END,))
NAME_END = Markers(('">',))
VALUE_END = Markers((PARAMETER_END,))

TAGS = Tags(
    opening=lambda name: (f'{INVOKE}{name}">\n',),
    key=((PARAMETER,), ('">',)),
    key_pattern=r'[^\s"<>]([^"<>\n]*[^\s"<>])?',
    value_end=("", PARAMETER_END, "\n"),
    closing=(INVOKE_END,),
    also_ends=(),
)


class CallReader:
    """``types`` tells strings from other values."""

    def __init__(self, types: ArgumentTypes) -> None:
        self._types = types

    def section(self, reader: Reader, marker: str) -> Parse[None]:
        """All calls up to the end of their section; what is none of them is read as calls in any notation."""
        yield from reader.skip_space()
        if not (yield from reader.accept(INVOKE)):
            yield from loose_block(reader, CALLS_END)
            return
        yield from self.invoke(reader, INVOKE)

    def invoke(self, reader: Reader, marker: str) -> Parse[None]:
        """``name">``, parameters, ``</invoke>``."""
        name, closed = yield from reader.collect(NAME_END)
        if not closed or not name.strip():
            reader.leftover(name)
            return
        reader.call(name := name.strip())
        opening = "{"
        while True:
            yield from reader.skip_space()
            if not (yield from reader.accept(PARAMETER)):
                break
            key, _ = yield from reader.collect(NAME_END)
            read = reader.collect if self._types.is_text(name, key) else partial(json_or_text, reader)
            value, end = yield from read(VALUE_END)
            if not end:
                return
            encoded = self._types.encode(name, key, value)
            reader.arguments(f"{opening}{json.dumps(key, ensure_ascii=False)}: {encoded}")
            opening = ", "
        if not (yield from reader.accept(INVOKE_END)) and (yield from reader.peek(1)):
            # Something that is no parameter: nothing of it can be used.
            yield from reader.until(Markers((INVOKE_END, END)), ignore)
        reader.arguments("}" if opening == ", " else "{}")
        reader.call_done()


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    read = CallReader(types)
    return OutputSyntax(
        calls={BEGIN: read.section, INVOKE: read.invoke},
        stray=(END, INVOKE_END, PARAMETER_END),
    )


FAMILY = Family(
    name="minimax",
    signs=((BEGIN,),),
    formats=(((), CallFormat(TAGS.write, before=(BEGIN, "\n"), between=("\n",), after=("\n", END), sign=BEGIN)),),
    calls=calls,
    reasoning=(THINK,),
)
