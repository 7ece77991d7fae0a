"""How far the host may run ahead of the GPU in a step of many tokens.

What MLX queues has its memory from then on. A prompt's layers each hold a dequantized matrix and wide activations, so
that all of them queued at once would take some times what the model does.
"""

from __future__ import annotations

from collections import deque

import mlx.core as mx

MOST = 3
"""Layers that are queued and not computed yet. The GPU has work as long as there is one."""


class RunAhead:
    """Of one model's layers. ``rows``: a step of fewer tokens is queued as a whole."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._queued: deque[mx.array] = deque()

    def clear(self) -> None:
        """Waits for none of those that are queued: they may be of a step that broke."""
        self._queued.clear()

    def add(self, x: mx.array) -> None:
        """Queues a layer's output, and waits for one that was queued ``MOST`` layers before."""
        if x.shape[0] < self._rows:
            self._queued.clear()
            return
        mx.async_eval(x)
        self._queued.append(x)
        while len(self._queued) > MOST:
            mx.eval(self._queued.popleft())
