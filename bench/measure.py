"""Medians, quantiles, and measuring two sides in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

REPEAT = 5
"""Runs of which a median is taken."""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def in_turn(sides: Mapping[str, Callable[[], float]], repeat: int = REPEAT) -> dict[str, float]:
    """The median of each side's runs, one run of each in every round, after a round that does not count.

    What disturbs the machine for a while then disturbs both sides.
    """
    for run in sides.values():
        run()
    rounds = [{name: run() for name, run in sides.items()} for _ in range(repeat)]
    return {name: statistics.median(one[name] for one in rounds) for name in sides}


def progress(text: str) -> None:
    """Say on stderr what is being measured."""
    print(f"  {text}", file=sys.stderr, flush=True)
