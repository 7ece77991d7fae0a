"""How much memory MLX may keep of arrays that are gone: as much as a step works with, by measurement."""

from __future__ import annotations

import mlx.core as mx

LEAST_BYTES = 24 << 20

CHANGE = 1.1
"""By how much a step must have worked with more than any before, for the cap to be raised."""


class BufferCache:
    """Owns MLX's cache limit. Without one, MLX keeps whatever prompts of ever other lengths have left behind, up to all
    of the device's memory. The limit of wired memory is left as MLX has it."""

    def __init__(self) -> None:
        self.limit = 0
        self._working = 0
        self._resting = 0
        self.rest()

    def rest(self) -> None:
        """Nothing is being computed: what there is now are weights and pages."""
        self._resting = mx.get_active_memory()
        mx.reset_peak_memory()

    def note(self) -> None:
        """A step has run."""
        working = mx.get_peak_memory() - self._resting
        if not self.limit or working > self._working * CHANGE:
            self._working = working
            self.limit = max(LEAST_BYTES, working)
            mx.set_cache_limit(self.limit)
