"""DeepSeek: a name and its arguments between markers; R1 and V3 put the arguments in a code fence."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.call_forms.named import is_name, named_arguments, no_call
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import Handler, OutputSyntax

BEGIN = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool_calls_begin｜>",
    "<｜tool calls begin｜>",
    "<|tool_calls_begin|>",
)
END = tuple(marker.replace("begin", "end") for marker in BEGIN)
CALL = "<｜tool▁call▁begin｜>"
SEPARATOR = "<｜tool▁sep｜>"
CALL_END = "<｜tool▁call▁end｜>"
FENCE = ("```json", "```")

FENCED = CallFormat(
    around(lambda name: [CALL, "function", SEPARATOR, f"{name}\n```json\n"], "\n```", CALL_END),
    before=(BEGIN[0],),
    between=("\n",),
    after=(END[0],),
    sign=BEGIN[0],
)
PLAIN = CallFormat(
    around(lambda name: [CALL, name, SEPARATOR], CALL_END), before=(BEGIN[0],), after=(END[0],), sign=BEGIN[0]
)

TEMPLATE = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '<｜User｜>' + message.content }}
{%- elif message.role == 'assistant' -%}{{ '<｜Assistant｜>' + message.content + eos_token }}
{%- else -%}{{ message.content }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<｜Assistant｜>' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    readers: dict[str, Handler] = {CALL: read_call, "<tool_call>": between("</tool_call>")}
    stray = (*BEGIN, *END, SEPARATOR, CALL_END, "</tool_call>")
    return OutputSyntax(calls=readers, stray=stray)


def read_call(reader: Reader, marker: str) -> Parse[None]:
    """V3.1: name, separator, JSON. R1 and V3: type, separator, name, JSON in a code fence."""
    end = Markers((CALL_END, *END))
    name, separator = yield from reader.collect(Markers((SEPARATOR, *end.strings)))
    if separator == SEPARATOR and (yield from reader.skip_space()) not in ("{", "`"):
        name, separator = yield from reader.collect(Markers(("\n", "```", *end.strings)))
    if not separator or separator in end.strings or not is_name(name.strip()):
        no_call(reader, name, separator)
        return
    yield from reader.skip_space()
    yield from reader.accept(*FENCE)
    if (yield from reader.peek(4)) == "json":
        reader.skip(4)
    yield from named_arguments(reader, name.strip(), end)


FAMILY = Family(
    name="deepseek",
    signs=((BEGIN[0],),),
    formats=((("```json",), FENCED), ((), PLAIN)),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(Fallback("<｜Assistant｜>", TEMPLATE, 4),),
)
