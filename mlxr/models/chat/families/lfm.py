"""LFM2: calls in Python's notation between markers, or in JSON where the system prompt asks for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.call_forms.python_calls import is_python, python_call
from mlxr.models.chat.families.family import THINK, Family
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import loose_block
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

BEGIN = "<|tool_call_start|>"
END = "<|tool_call_end|>"


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={BEGIN: read_calls, "<tool_call>": between("</tool_call>")},
        stray=(END, "</tool_call>"),
    )


def read_calls(reader: Reader, marker: str) -> Parse[None]:
    """``[f(a="b"), g()]``, which is Python; or JSON, where the system prompt asks for it."""
    yield from loose_block(reader, Markers((END,)))


def past_call(name: str, arguments: dict[str, Any] | str) -> str:
    """Returns a past call as LFM2 writes it; its templates expect calls to be in the text already."""
    if not isinstance(arguments, str):
        arguments = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return f"{BEGIN}[{name}({arguments})]{END}"


def write_call(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """Writes a call in Python's notation; in JSON where that has no way to put it."""
    if is_python(name, schema):
        return python_call(lark, name, rule, schema)
    return around(json_call(), "}")(lark, name, rule, schema)


CALLS = CallFormat(write_call, before=(BEGIN, "["), between=(", ",), after=("]", END), sign=BEGIN)

FAMILY = Family(
    name="lfm",
    signs=((BEGIN,), ("<|tool_list_start|>",)),
    formats=(((), CALLS),),
    calls=calls,
    reasoning=(THINK,),
    past_call=past_call,
)
