"""The log's lines about a pull."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlxr.actors.registry.progress import Progress
from mlxr.models.sizes import readable
from mlxr.runtime import logs

log = logging.getLogger("mlxr.registry")

MEASURED_SECONDS = 2.0
"""A speed is that since at least so long ago."""


class PullLog:
    """Writes how far one pull is.

    name: what is pulled.
    now: seconds of a clock that goes on.
    """

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        self._name = name
        self._now = now
        self._status = ""
        self._from = (0.0, 0)
        self._rate = 0.0

    def report(self, progress: Progress) -> None:
        if progress.status != self._status:
            self._status = progress.status
            self._from = (self._now(), progress.completed)
            self._rate = 0.0
        if progress.total:
            self._measure(progress.completed)
            log.info("pulling %s: %s", self._name, self._how_far(progress), extra=logs.progress(_fraction(progress)))

    def _measure(self, completed: int) -> None:
        since, before = self._from
        if (passed := self._now() - since) >= MEASURED_SECONDS:
            self._rate = max(completed - before, 0) / passed
            self._from = (self._now(), completed)

    def _how_far(self, progress: Progress) -> str:
        rate = f", {readable(self._rate)}/s" if self._rate else ""
        return f"{_fraction(progress):.0%} of {readable(progress.total)}{rate}"


def _fraction(progress: Progress) -> float:
    return progress.completed / progress.total
