"""The parser of one answer, chosen by the model's chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mlxr.models.chat.families import THINK, family_of, sections_of
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.parser import OutputParser, PlainParser
from mlxr.models.output.syntax import OutputSyntax, answer
from mlxr.runtime.messages.tokenizer import Tool


def choose_parser(
    source: str, tools: Sequence[Tool] = (), *, in_reasoning: bool = False, split_reasoning: bool = True
) -> OutputParser:
    """Returns the parser for answers to a prompt that the template ``source`` rendered.

    ``tools``: calls are looked for only if there are some. ``in_reasoning``: the prompt ends inside a reasoning section
    (``Rendered.in_reasoning``). ``split_reasoning`` False leaves reasoning in the text, markers and all.
    """
    family = family_of(source)
    if family.channels is not None:
        read = partial(family.channels.read, tools=bool(tools), split_reasoning=split_reasoning)
        return OutputParser(read, family.channels.markers)
    syntax = family.calls({tool.name for tool in tools}, ArgumentTypes(tools)) if tools else OutputSyntax()
    sections = sections_of(source)
    if in_reasoning and not sections:
        sections = (THINK,)
    if split_reasoning:
        syntax = replace(syntax, reasoning=dict(sections))
    if not syntax.markers:
        return PlainParser()
    opened = next(iter(syntax.reasoning)) if in_reasoning and split_reasoning else ""
    return OutputParser(partial(answer, syntax=syntax, opened=opened), syntax.tokens)
