"""InternLM 2, 2.5 and 3: JSON calls between the markers of an action, behind the name of the plug-ins' channel."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.call_format import CallFormat, around, json_call
from mlxr.models.chat.call_forms.json_calls import between
from mlxr.models.chat.families.family import Family
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.syntax import OutputSyntax

PLUGIN = "<|plugin|>"
BEGIN, END = "<|action_start|>", "<|action_end|>"
INTERNLM = CallFormat(
    around(lambda name: [BEGIN, PLUGIN, "\n", *json_call("parameters")(name)], "}\n", END), between=("\n",), sign=BEGIN
)


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    """Returns the syntax of ``<|action_start|><|plugin|>`` and a call in JSON; what the other channel's action holds,
    code for an interpreter, is none of a function and stays text."""
    return OutputSyntax(calls={PLUGIN: between(END)}, stray=(BEGIN, END))


FAMILY = Family(
    name="internlm",
    signs=((BEGIN,), (PLUGIN,)),
    formats=(((), INTERNLM),),
    calls=calls,
)
