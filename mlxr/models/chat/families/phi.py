"""Phi-4-mini, Granite and others: a JSON list behind a marker that may never be closed."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import json_block
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax

BEGIN = "<|tool_call|>"
END = "<|/tool_call|>"
FUNCTOOLS = "functools["

LISTED = CallFormat(around(json_call(), "}"), before=(BEGIN, "["), between=(", ",), after=("]", END), sign=BEGIN)
NAMED_LIST = CallFormat(around(json_call(), "}"), before=(FUNCTOOLS,), between=(", ",), after=("]",), sign=FUNCTOOLS)

PHI = r"""
{%- for message in messages -%}
{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%}
"""

PHI4 = r"""
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '<|im_sep|>' + message.content + '<|im_end|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant<|im_sep|>' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    """Returns the syntax of a JSON list behind a marker that may never be closed."""
    return OutputSyntax(
        calls={
            BEGIN: between(END, "</|tool_call|>"),
            "<tool_call>": between("</tool_call>"),
            FUNCTOOLS: functools,
        },
        stray=(END, "</|tool_call|>", "</tool_call>"),
    )


def functools(reader: Reader, marker: str) -> Parse[None]:
    """``functools[{...}, ...]``, Phi-4-mini's other habit."""
    reader.skip(-1)
    yield from json_block(reader, Markers(("\n\n",)))


FAMILY = Family(
    name="phi",
    signs=((BEGIN,), ("<|tool|>",), ("functools",)),
    formats=(((BEGIN,), LISTED), (("<|tool|>",), LISTED), ((), NAMED_LIST)),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(Fallback("<|im_sep|>", PHI4, 1), Fallback("<|assistant|>", PHI, 6)),
)
