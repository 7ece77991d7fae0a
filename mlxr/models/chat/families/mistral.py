"""Mistral: ``[TOOL_CALLS]`` with a name and its arguments, or with a JSON list in models before v11."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.named import is_name, named_arguments, no_call
from mlxr.models.chat.families.family import Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import json_block
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

CALLS = "[TOOL_CALLS]"
CALLS_END = Markers(("</s>",))
NAME_END = Markers(("[ARGS]", "[CALL_ID]", "{", CALLS))
ARGS = Markers(("[ARGS]",))

NAMED = CallFormat(around(lambda name: [CALLS, name, "[ARGS]"]), sign=CALLS)
LISTED = CallFormat(around(json_call(), "}"), before=(CALLS, "["), between=(", ",), after=("]",), sign=CALLS)

TEMPLATE = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '[INST] ' + message.content + '[/INST]' }}
{%- elif message.role == 'assistant' -%}{{ ' ' + message.content | trim + eos_token }}
{%- else -%}{{ raise_exception('only user and assistant turns') }}
{%- endif -%}
{%- endfor -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(calls={CALLS: read_call}, stray=("[ARGS]", "[CALL_ID]", "[/TOOL_CALLS]"))


def read_call(reader: Reader, marker: str) -> Parse[None]:
    """``[TOOL_CALLS]`` with ``name[ARGS]{...}``, or with a JSON list in models before v11."""
    if (yield from reader.skip_space()) in ("{", "["):
        yield from json_block(reader, CALLS_END)
        return
    name, end = yield from reader.collect(NAME_END)
    if end == "[CALL_ID]":
        _, end = yield from reader.collect(ARGS)
    if end == "{":
        reader.skip(-1)
    if not is_name(name.strip()) or end in ("", CALLS):
        no_call(reader, name, end)
        reader.skip(-len(end) if end == CALLS else 0)
        return
    yield from named_arguments(reader, name.strip(), CALLS_END)


FAMILY = Family(
    name="mistral",
    signs=((CALLS,), ("[AVAILABLE_TOOLS]",)),
    formats=((("[ARGS]",), NAMED), ((), LISTED)),
    calls=calls,
    reasoning=(("[THINK]", "[/THINK]"),),
    fallbacks=(Fallback("[INST]", TEMPLATE, 5),),
)
