"""Where a constraint begins in an answer that reasons first."""

from __future__ import annotations

from enum import Enum

from msgspec.structs import replace

from mlxr.models.constraints.grammars import answer_rule
from mlxr.models.constraints.spelling import Spelling
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind

MARKERS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"))
FINAL = "<|channel|>final<|message|>"
ANALYSIS = ("<|channel|>analysis<|message|>", "<|end|>")
"""gpt-oss's reasoning."""

FREE = Constraint(ConstraintKind.FREE)


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


def after_reasoning(
    constraint: Constraint, source: str, tokenizer: Tokenizer, thinking: Thinking, budget: int = 0
) -> Constraint:
    """``constraint`` for the answer proper, whatever reasoning goes before it.

    ``source``: the chat template. ``budget``: tokens the reasoning may have, 0 for any number. gpt-oss answers in its
    final channel, whether it reasons or not; raises ``ConstraintError`` for a budget beside a grammar there.
    """
    if not is_harmony(source):
        return behind(constraint, markers_of(source), thinking, budget)
    if not budget:
        return replace(constraint, after=FINAL)
    if constraint.kind is not ConstraintKind.FREE:
        spelling = Spelling(tokenizer)
        before, rules = analysis(spelling, budget)
        lines = [f"start: {before} {final(spelling)} answer", *rules, answer_rule(constraint), ""]
        constraint = Constraint(ConstraintKind.LARK, "\n".join(lines))
    return behind(constraint, ANALYSIS, Thinking.MAY, budget)


def analysis(spelling: Spelling, budget: int = 0) -> tuple[str, list[str]]:
    """A term for what gpt-oss may think before it answers or calls, and its rules. With a ``budget`` the rules only
    begin behind the analysis, which ends itself: with the header of the message that follows."""
    again = spelling.terms("<|start|>", "assistant")
    if budget:
        return "again?", [f"again: {again}"]
    thoughts, rules = spelling.up_to("thoughts", "<|end|>")
    opening = spelling.terms("<|channel|>", "analysis", "<|message|>")
    return "reasoning?", [f"reasoning: {opening} {thoughts} {again}", rules]


def final(spelling: Spelling) -> str:
    """A term for the header of gpt-oss's answer."""
    return spelling.terms("<|channel|>", "final", "<|message|>")


def behind(constraint: Constraint, markers: tuple[str, str], thinking: Thinking, budget: int = 0) -> Constraint:
    """``constraint``, beginning where a section between ``markers`` has ended."""
    if thinking is Thinking.OFF:
        return constraint
    opening, closing = markers
    return replace(constraint, after=closing, opening=opening if thinking is Thinking.MAY else "", budget=budget)
