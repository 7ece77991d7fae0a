"""Where a constraint begins in an answer that reasons first."""

from __future__ import annotations

from enum import Enum

from msgspec.structs import replace

from mlxr.models.chat.families import THINK, Section, Signs, family_of, sections_of
from mlxr.models.constraints.grammars import answer_rule
from mlxr.models.lark import LarkTerms
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ReasoningSection

FREE = Constraint(ConstraintKind.FREE)


class ReasoningMode(Enum):
    """Whether the answer reasons first: ``OPEN`` where the prompt already opened the section, ``MAY`` where the model
    decides."""

    OFF = "off"
    MAY = "may"
    OPEN = "open"


def after_reasoning(
    constraint: Constraint, source: Signs, tokenizer: Tokenizer, mode: ReasoningMode, budget: int | None = None
) -> Constraint:
    """Returns ``constraint`` for the answer proper, whatever reasoning goes before it.

    ``source``: the chat template. ``budget``: tokens the reasoning may have, None for any number. gpt-oss answers in
    its final channel, whether it reasons or not; raises ``ConstraintError`` for a budget beside a grammar there.
    """
    channels = family_of(source).channels
    if channels is None:
        return behind(constraint, section_of(source), mode, budget)
    if budget is None:
        return replace(constraint, reasoning=ReasoningSection(channels.final))
    if constraint.kind is not ConstraintKind.FREE:
        lark = LarkTerms(tokenizer)
        before, rules = channels.analysis(lark, budget)
        lines = [f"start: {before} {channels.final_term(lark)} answer", *rules, answer_rule(constraint), ""]
        constraint = Constraint(ConstraintKind.LARK, "\n".join(lines))
    return behind(constraint, channels.reasoning, ReasoningMode.MAY, budget)


def section_of(source: Signs) -> Section:
    """Returns the markers between which models of the template ``source`` reason."""
    return next(iter(sections_of(source)), THINK)


def behind(constraint: Constraint, markers: Section, mode: ReasoningMode, budget: int | None = None) -> Constraint:
    """``constraint``, beginning where a section between ``markers`` has ended."""
    if mode is ReasoningMode.OFF:
        return constraint
    opening, closing = markers
    section = ReasoningSection(closing, opening if mode is ReasoningMode.MAY else None, budget)
    return replace(constraint, reasoning=section)
