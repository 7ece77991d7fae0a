"""Where a constraint begins in an answer that reasons first."""

from __future__ import annotations

from enum import Enum

from msgspec.structs import replace

from mlxr.models.constraints.grammars import ConstraintError
from mlxr.runtime.messages.common import Constraint, ConstraintKind

MARKERS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"))
FINAL = "<|channel|>final<|message|>"
ANALYSIS = ("<|channel|>analysis<|message|>", "<|end|>")
"""gpt-oss's reasoning."""

NO_BUDGET = "a budget for reasoning can't go with an output format or forced tools in this model"
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


def after_reasoning(constraint: Constraint, source: str, thinking: Thinking, budget: int = 0) -> Constraint:
    """``constraint`` for the answer proper, whatever reasoning goes before it.

    ``source``: the chat template. ``budget``: tokens the reasoning may have, 0 for any number. gpt-oss answers in its
    final channel, whether it reasons or not; raises ``ConstraintError`` for a budget beside a format there.
    """
    if not is_harmony(source):
        return behind(constraint, markers_of(source), thinking, budget)
    if not budget:
        return replace(constraint, after=FINAL)
    if constraint.kind is not ConstraintKind.FREE:
        raise ConstraintError(NO_BUDGET)
    return behind(constraint, ANALYSIS, Thinking.MAY, budget)


def behind(constraint: Constraint, markers: tuple[str, str], thinking: Thinking, budget: int = 0) -> Constraint:
    """``constraint``, beginning where a section between ``markers`` has ended."""
    if thinking is Thinking.OFF:
        return constraint
    opening, closing = markers
    return replace(constraint, after=closing, opening=opening if thinking is Thinking.MAY else "", budget=budget)
