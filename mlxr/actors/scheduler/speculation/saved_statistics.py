"""What was learned of steps' times and of acceptance, as text, for the engine's next start on the same device."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mlxr.actors.scheduler.speculation.acceptance import ENGINE_MEMORY, Acceptance, Tally
from mlxr.actors.scheduler.speculation.origins import DraftKind
from mlxr.actors.scheduler.speculation.step_times import BINS, CONTEXTS, LONGEST_WAIT, Curve, StepTimes

FORMAT = 1

TRUSTED = 8
"""Steps that a saved time counts as: what is seen now soon counts for more."""


class SavedCurve(Struct, frozen=True):
    """Of the contexts of one class, the seconds of steps by their tokens."""

    context: int
    seconds: dict[int, float]


class SavedTally(Struct, frozen=True):
    """Of drafts of a kind behind matches of one class, how many tokens were right, of how many."""

    kind: DraftKind
    group: int
    right: float
    of: float


class SavedStatistics(Struct, frozen=True):
    """All of it; times are in seconds. ``passes``: of the executor's drafter."""

    format: int
    curves: list[SavedCurve]
    waits: tuple[float, float]
    tallies: list[SavedTally]
    passes: list[SavedCurve] = []


def saved_text(times: StepTimes, acceptance: Acceptance, passes: StepTimes) -> str:
    """Returns what is to be saved, as JSON. ``passes``: what those of the executor's drafter take."""
    tallies = [
        SavedTally(kind, group, round(tally.right, 3), round(tally.of, 3))
        for (kind, group), tally in acceptance.engine.items()
    ]
    waits = times.waits[False], times.waits[True]
    return msgspec.json.encode(SavedStatistics(FORMAT, _curves(times), waits, tallies, _curves(passes))).decode()


def restore(text: str, times: StepTimes, acceptance: Acceptance, passes: StepTimes) -> bool:
    """Takes in what was saved, unless it is of another format or damaged; tells whether it was."""
    try:
        saved = msgspec.json.decode(text, type=SavedStatistics)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    if saved.format != FORMAT or not all(_sound(curve) for curve in (*saved.curves, *saved.passes)):
        return False
    if not all(0 <= wait <= LONGEST_WAIT for wait in saved.waits):
        return False
    if not all(0 <= each.right <= each.of <= ENGINE_MEMORY + 1 for each in saved.tallies):
        return False
    for curves, known in ((saved.curves, times), (saved.passes, passes)):
        known.curves |= {
            each.context: Curve(dict(each.seconds), dict.fromkeys(each.seconds, TRUSTED)) for each in curves
        }
    times.waits[False], times.waits[True] = saved.waits
    acceptance.engine |= {(each.kind, each.group): Tally(each.right, each.of) for each in saved.tallies}
    return True


def _curves(times: StepTimes) -> list[SavedCurve]:
    known = {context: curve.seconds for context, curve in times.curves.items() if curve.seconds}
    return [SavedCurve(context, dict(sorted(seconds.items()))) for context, seconds in known.items()]


def _sound(curve: SavedCurve) -> bool:
    known = all(tokens in BINS and 0 < seconds < 1e4 for tokens, seconds in curve.seconds.items())
    return known and bool(curve.seconds) and 0 <= curve.context <= len(CONTEXTS)
