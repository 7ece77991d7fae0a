"""Where a constraint begins in an answer that reasons first."""

from __future__ import annotations

import json
from enum import Enum

from mlxr.models.constraints.grammars import styled
from mlxr.models.constraints.spelling import Spelling
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind

MARKERS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"))
FINAL = "<|channel|>final<|message|>"


class Thinking(Enum):
    """Whether the answer reasons first: ``OPEN`` where the prompt already opened the section, ``MAY`` where the model
    decides."""

    OFF = "off"
    MAY = "may"
    OPEN = "open"


def markers_of(source: str) -> tuple[str, str]:
    """The reasoning markers of the family that the template ``source`` belongs to."""
    return next((pair for pair in MARKERS if pair[1] in source or pair[0] in source), MARKERS[0])


def is_harmony(source: str) -> bool:
    return "<|channel|>" in source and "<|message|>" in source


def after_reasoning(constraint: Constraint, source: str, tokenizer: Tokenizer, thinking: Thinking) -> Constraint:
    """``constraint`` for the answer proper, whatever reasoning goes before it.

    ``source``: the chat template. gpt-oss answers in its final channel, whether it reasons or not.
    """
    if is_harmony(source):
        return Constraint(constraint.kind, constraint.source, FINAL)
    opening, closing = markers_of(source)
    if thinking is Thinking.OPEN:
        return Constraint(constraint.kind, constraint.source, closing)
    if thinking is Thinking.OFF:
        return constraint
    if constraint.kind is ConstraintKind.LARK:
        # The client's own grammar may use any rule name, so nothing can be put around it.
        return constraint
    prefix, rules = optional_reasoning(Spelling(tokenizer), opening, closing)
    return Constraint(ConstraintKind.LARK, f"start: {prefix} answer\n{rules}\nanswer: {_term(constraint)}\n")


def optional_reasoning(spelling: Spelling, opening: str, closing: str) -> tuple[str, str]:
    """A term for a reasoning section that need not be there, and the rules it needs."""
    body, rules = spelling.up_to("thoughts", closing)
    return "reasoning?", f"reasoning: {spelling.terms(opening)} {body} /[ \\n]*/\n{rules}"


def _term(constraint: Constraint) -> str:
    if constraint.kind is ConstraintKind.REGEX:
        escaped = constraint.source.replace("/", r"\/")
        return f"/{escaped}/"
    schema = {"type": "object"} if constraint.kind is ConstraintKind.JSON_OBJECT else json.loads(constraint.source)
    return f"%json {styled(schema)}"
