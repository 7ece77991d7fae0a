"""Hermes: JSON between ``<tool_call>`` tags (Qwen, SmolLM, Granite, Ling), and what tools are prompted in otherwise."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.json_calls import FUNCTION, between, function_tag
from mlxr.models.chat.families.family import THINK, Fallback, Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.syntax import OutputSyntax

BEGIN = "<tool_call>"
END = "</tool_call>"
HERMES = CallFormat(around(lambda name: [BEGIN, "\n", *json_call()(name)], "}\n", END), between=("\n",), sign=BEGIN)

CHATML = r"""
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""

EXAONE = r"""
{%- for message in messages -%}
{{ '[|' + message.role + '|]' + message.content | trim + ('\n' if message.role == 'user' else '[|endofturn|]\n') }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '[|assistant|]' }}{%- endif -%}
"""

LING = r"""
{%- for message in messages -%}
{%- set role = {'user': 'HUMAN', 'system': 'SYSTEM', 'assistant': 'ASSISTANT'}.get(message.role, 'OBSERVATION') -%}
{{ '<role>' + role + '</role>' + message.content + '<|role_end|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<role>ASSISTANT</role>' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(
        calls={BEGIN: between(END), FUNCTION: function_tag},
        stray=(END, "</function>", "<tools>", "</tools>", "<tool_response>", "</tool_response>"),
    )


FAMILY = Family(
    name="hermes",
    signs=((BEGIN,),),
    formats=(((), HERMES),),
    calls=calls,
    reasoning=(THINK,),
    fallbacks=(
        Fallback("<|im_start|>", CHATML, 2),
        Fallback("[|endofturn|]", EXAONE, 3),
        Fallback("<|role_end|>", LING, 3),
    ),
    trained=("SmolLM",),
)
