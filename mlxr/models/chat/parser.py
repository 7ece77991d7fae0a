"""The parser of one answer, chosen by the model's chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mlxr.models.chat.call_forms.marked_calls import with_calls_behind
from mlxr.models.chat.families import THINK, Signs, family_of, sections_of, signs_of
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.parser import OutputParser, PlainParser
from mlxr.models.output.syntax import OutputSyntax, answer
from mlxr.runtime.messages.tokenizer import Tool


def choose_parser(
    template: Signs, tools: Sequence[Tool] = (), *, in_reasoning: bool = False, split_reasoning: bool = True
) -> OutputParser:
    """Returns the parser for answers to a prompt that ``template`` rendered.

    ``tools``: calls are looked for only if there are some. ``in_reasoning``: the prompt ends inside a reasoning section
    (``Rendered.in_reasoning``). ``split_reasoning`` False leaves reasoning in the text, markers and all.
    """
    family = family_of(template)
    if family.channels is not None:
        read = partial(family.channels.read, tools=bool(tools), split_reasoning=split_reasoning)
        return OutputParser(read, family.channels.markers)
    names = {tool.name for tool in tools}
    syntax = family.calls(names, ArgumentTypes(tools)) if tools else OutputSyntax()
    if tools:
        syntax = with_calls_behind(syntax, signs_of(template).calls, names)
    sections = sections_of(template)
    if in_reasoning and not sections:
        sections = (THINK,)
    if split_reasoning:
        syntax = replace(syntax, reasoning=dict(sections))
    if not syntax.markers:
        return PlainParser()
    opened = next(iter(syntax.reasoning)) if in_reasoning and split_reasoning else ""
    return OutputParser(partial(answer, syntax=syntax, opened=opened), syntax.tokens)
