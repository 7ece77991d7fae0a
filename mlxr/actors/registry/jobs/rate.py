"""How fast a job is of late."""

from __future__ import annotations

from collections import deque

from mlxr.actors.registry.progress import Progress

WINDOW_SECONDS = 8.0
LEAST_SECONDS = 1.0
"""A speed over less is none."""


class Rate:
    """Measures one part after another; what an earlier attempt brought is no speed of this one."""

    def __init__(self) -> None:
        self._part = ""
        self._seen: deque[tuple[float, int]] = deque()

    def take(self, progress: Progress, now: float) -> tuple[float, float | None]:
        """Returns bytes a second, 0 while unknown, and the seconds that are left, None while unknown."""
        part = f"{progress.status} {progress.digest}"
        if part != self._part or (self._seen and progress.completed < self._seen[-1][1]):
            self._part = part
            self._seen.clear()
        self._seen.append((now, progress.completed))
        while now - self._seen[0][0] > WINDOW_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - since < LEAST_SECONDS:
            return 0.0, None
        rate = (progress.completed - before) / (now - since)
        left = (progress.total - progress.completed) / rate if rate and progress.total else None
        return rate, left
