"""Command R7B and Command A: a JSON list of numbered calls between two markers, and one pair around each part else."""

from __future__ import annotations

import json
from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.families.family import Fallback, Family
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.syntax import OutputSyntax

BEGIN = "<|START_ACTION|>"
END = "<|END_ACTION|>"
THINKING = ("<|START_THINKING|>", "<|END_THINKING|>")
PARTS = ("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>")
"""What the answer proper stands between."""

TURNS = r"""
{%- set names = {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT', 'tool': 'SYSTEM'} -%}
{{ bos_token }}
{%- for message in messages -%}
{{ '<|START_OF_TURN_TOKEN|><|' + names[message.role] + '_TOKEN|>' + message.content + '<|END_OF_TURN_TOKEN|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{%- endif -%}
"""


def write_call(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """``{"tool_call_id": "0", "tool_name": "f", "parameters": {}}``."""
    opening = lark.terms("{", '"tool_call_id"', ": ", '"')
    rest, rules = around(_behind_number, "}")(lark, name, rule, schema)
    return f"{opening} /[0-9]+/ {rest}", rules


def _behind_number(name: str) -> list[str]:
    return ['", ', '"tool_name"', ": ", json.dumps(name, ensure_ascii=False), ", ", '"parameters"', ": "]


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(calls={BEGIN: between(END)}, stray=(END, *PARTS))


FAMILY = Family(
    name="cohere",
    signs=((BEGIN,),),
    formats=(((), CallFormat(write_call, before=(BEGIN, "["), between=(", ",), after=("]", END), sign=BEGIN)),),
    calls=calls,
    reasoning=(THINKING,),
    fallbacks=(Fallback("<|CHATBOT_TOKEN|>", TURNS, 1),),
)
