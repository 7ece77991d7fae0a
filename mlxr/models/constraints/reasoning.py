"""Where a constraint begins in an answer that reasons first."""

from __future__ import annotations

from enum import Enum

from msgspec.structs import replace

from mlxr.models.chat.families import THINK, Section, family_of, sections_of
from mlxr.models.constraints.grammars import answer_rule
from mlxr.models.lark import LarkTerms
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind

FREE = Constraint(ConstraintKind.FREE)


class Thinking(Enum):
    """Whether the answer reasons first: ``OPEN`` where the prompt already opened the section, ``MAY`` where the model
    decides."""

    OFF = "off"
    MAY = "may"
    OPEN = "open"


def after_reasoning(
    constraint: Constraint, source: str, tokenizer: Tokenizer, thinking: Thinking, budget: int = 0
) -> Constraint:
    """``constraint`` for the answer proper, whatever reasoning goes before it.

    ``source``: the chat template. ``budget``: tokens the reasoning may have, 0 for any number. gpt-oss answers in its
    final channel, whether it reasons or not; raises ``ConstraintError`` for a budget beside a grammar there.
    """
    channels = family_of(source).channels
    if channels is None:
        return behind(constraint, section_of(source), thinking, budget)
    if not budget:
        return replace(constraint, after=channels.final)
    if constraint.kind is not ConstraintKind.FREE:
        lark = LarkTerms(tokenizer)
        before, rules = channels.analysis(lark, budget)
        lines = [f"start: {before} {channels.final_term(lark)} answer", *rules, answer_rule(constraint), ""]
        constraint = Constraint(ConstraintKind.LARK, "\n".join(lines))
    return behind(constraint, channels.reasoning, Thinking.MAY, budget)


def section_of(source: str) -> Section:
    """Returns the markers between which models of the template ``source`` reason."""
    return next(iter(sections_of(source)), THINK)


def behind(constraint: Constraint, markers: Section, thinking: Thinking, budget: int = 0) -> Constraint:
    """``constraint``, beginning where a section between ``markers`` has ended."""
    if thinking is Thinking.OFF:
        return constraint
    opening, closing = markers
    return replace(constraint, after=closing, opening=opening if thinking is Thinking.MAY else "", budget=budget)
