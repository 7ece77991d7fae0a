"""What restoring and recomputing cost, as measured."""

from __future__ import annotations

WEIGHT = 0.3
"""How much the latest measurement counts."""

LEAST_BYTES = 1 << 18
"""Below it a reading says more about its beginning than about the disk."""


class Costs:
    """Learned rates. ``read``: bytes a second from the disk into pages; ``prefill``: tokens a second that the device
    computes of prompts. 0 for not known yet."""

    def __init__(self) -> None:
        self.read = 0.0
        self.prefill = 0.0

    def note(self, bytes: int, seconds: float, prefill_rate: float) -> None:
        """Takes in a measurement."""
        if prefill_rate:
            self.prefill = prefill_rate
        if bytes >= LEAST_BYTES and seconds > 0:
            rate = bytes / seconds
            self.read = rate if not self.read else (1 - WEIGHT) * self.read + WEIGHT * rate

    def restoring_pays(self, bytes: int, tokens: int) -> bool:
        """Whether ``bytes`` are read in less time than ``tokens`` are computed; what is not known is tried."""
        if not self.read or not self.prefill:
            return True
        return bytes / self.read <= tokens / self.prefill
