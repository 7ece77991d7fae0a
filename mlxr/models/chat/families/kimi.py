"""Kimi K2: ``functions.name:0`` and JSON, between markers for each call and for all of them."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.call_forms.named import is_name, named_arguments, no_call
from mlxr.models.chat.families.family import THINK, Family
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

BEGIN = "<|tool_calls_section_begin|>"
END = "<|tool_calls_section_end|>"
CALL = "<|tool_call_begin|>"
ARGUMENTS = "<|tool_call_argument_begin|>"
CALL_END = "<|tool_call_end|>"


def write_call(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """``functions.name:`` and the call's number, then the arguments."""
    opening = lark.terms(CALL, f"functions.{name}:")
    rest, rules = around(lambda _: [ARGUMENTS], CALL_END)(lark, name, rule, schema)
    return f"{opening} /[0-9]+/ {rest}", rules


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={CALL: read_call, "<tool_call>": between("</tool_call>")},
        stray=(BEGIN, END, ARGUMENTS, CALL_END, "</tool_call>"),
    )


def read_call(reader: Reader, marker: str) -> Parse[None]:
    """``functions.name:0``, then the arguments."""
    end = Markers((CALL_END, END))
    name, separator = yield from reader.collect(Markers((ARGUMENTS, *end.strings)))
    name = name.strip().removeprefix("functions.").partition(":")[0]
    if separator != ARGUMENTS or not is_name(name):
        no_call(reader, name, separator)
        return
    yield from named_arguments(reader, name, end)


FAMILY = Family(
    name="kimi",
    signs=((BEGIN,),),
    formats=(((), CallFormat(write_call, before=(BEGIN,), after=(END,), sign=BEGIN)),),
    calls=calls,
    reasoning=(THINK,),
)
