"""How often an actor may be restarted: a budget within a sliding window. No clock of its own."""

from __future__ import annotations

from collections import deque


class RestartBudget:
    """At most ``restarts`` within any ``window`` seconds."""

    def __init__(self, restarts: int, window: float) -> None:
        self._restarts = restarts
        self._window = window
        self._times: deque[float] = deque()

    def left(self, now: float) -> int:
        """Returns how many restarts there may be at time ``now``."""
        while self._times and now - self._times[0] >= self._window:
            self._times.popleft()
        return max(self._restarts - len(self._times), 0)

    def spend(self, now: float) -> bool:
        """Takes one restart at time ``now``; False when none is left."""
        if not self.left(now):
            return False
        self._times.append(now)
        return True
