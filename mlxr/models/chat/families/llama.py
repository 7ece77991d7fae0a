"""Llama 3 and 4: a call is JSON that is the whole answer, or stands behind ``<|python_tag|>``; Llama 4 may write one in
Python's notation between markers."""

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
HEADER = "<|start_header_id|>"
HEADER_4 = "<|header_start|>"
PYTHON, PYTHON_END = "<|python_start|>", "<|python_end|>"
BARE = CallFormat(around(json_call("parameters"), "}"), between=None)

TEMPLATE = r"""
{{- bos_token -}}
{%- for message in messages -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}
"""

TEMPLATE_4 = r"""
{{- bos_token -}}
{%- for message in messages -%}
{{ '<|header_start|>' + message.role + '<|header_end|>\n\n' + message.content | trim + '<|eot|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|header_start|>assistant<|header_end|>\n\n' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={
            PYTHON_TAG: python_tag,
            PYTHON: python_tag,
            FUNCTION: function_tag,
            "<tool_call>": between("</tool_call>"),
        },
        stray=("<|eom_id|>", "<|eom|>", PYTHON_END, FUNCTION_END, "</tool_call>"),
        bare=bare(names),
    )


def python_tag(reader: Reader, marker: str) -> Parse[None]:
    """JSON, or a call in Python's notation, to the end of the message or of what Llama 4 has between markers."""
    end = Markers(("<|eom_id|>", "<|eot_id|>", "<|eom|>", "<|eot|>", PYTHON_END))
    if (yield from reader.skip_space()) in ("{", "["):
        yield from json_block(reader, end)
    else:
        yield from loose_block(reader, end)


FAMILY = Family(
    name="llama",
    signs=((HEADER,), (HEADER_4,), (PYTHON_TAG,)),
    # A template without either form knows no tools: they are prompted for.
    formats=(
        (('"parameters"', HEADER), BARE),
        (('"parameters"', HEADER_4), BARE),
        ((PYTHON_TAG,), BARE),
        ((), HERMES),
    ),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(Fallback(HEADER, TEMPLATE, 3), Fallback(HEADER_4, TEMPLATE_4, 3)),
)
