"""Llama 3: a call is JSON that is the whole answer, or stands behind ``<|python_tag|>``."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.json_calls import FUNCTION, FUNCTION_END, bare, between, function_tag
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.chat.families.hermes import HERMES
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import json_block, loose_block
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

PYTHON_TAG = "<|python_tag|>"
BARE = CallFormat(around(json_call("parameters"), "}"), between=None)

TEMPLATE = r"""
{{- bos_token -}}
{%- for message in messages -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={PYTHON_TAG: python_tag, FUNCTION: function_tag, "<tool_call>": between("</tool_call>")},
        stray=("<|eom_id|>", FUNCTION_END, "</tool_call>"),
        bare=bare(names),
    )


def python_tag(reader: Reader, marker: str) -> Parse[None]:
    """``<|python_tag|>`` with JSON, or with a call in Python's notation, to the end of the message."""
    end = Markers(("<|eom_id|>", "<|eot_id|>"))
    if (yield from reader.skip_space()) in ("{", "["):
        yield from json_block(reader, end)
    else:
        yield from loose_block(reader, end)


FAMILY = Family(
    name="llama",
    signs=(("<|start_header_id|>",), (PYTHON_TAG,)),
    # A template without either form knows no tools: they are prompted for.
    formats=((('"parameters"', "<|start_header_id|>"), BARE), ((PYTHON_TAG,), BARE), ((), HERMES)),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(Fallback("<|start_header_id|>", TEMPLATE, 3),),
)
