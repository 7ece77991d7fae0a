"""What grids on a device share whose blocks wait for each other (``mlxr.metal.gpu.decoder_layer``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import mlx.core as mx

from mlxr.metal.gpu.decoder_layer import BROKEN, MILD

UNLIKELY_WORDS = 199_999


class GridMemory:
    """What all grids on the device share whose blocks wait for each other. No two may run at once, or each could have
    half of the places that both take: each is computed once the one before it is.

    ``state``: what blocks meet by. ``last``: int32 ``[4]``, computed once the newest grid is.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self, mild: bool = False) -> None:
        """Begins anew, behind nothing. ``mild``: a grid that waits for ever ends with wrong results, as ``broken``
        tells, instead of with a device that is lost to the process."""
        # What MLX is given lies in memory that the host reaches, and so does what is computed where an array of about
        # that size was given before: of this size there is none.
        words = mx.arange(UNLIKELY_WORDS)
        self.state = mx.where(words == MILD, int(mild), 0).astype(mx.uint32)
        self.last = mx.zeros(4, mx.int32)
        self._scratch = mx.zeros(UNLIKELY_WORDS)
        mx.eval(self.state, self.last, self._scratch)

    @property
    def broken(self) -> bool:
        """Whether a mild grid has ended so, of those that are computed."""
        return bool(mx.take(self.state, mx.array(BROKEN)).item())

    def scratch(self, numbers: int) -> mx.array:
        """Returns float32 ``[at least numbers]``."""
        if self._scratch.size < numbers:
            self._scratch = mx.zeros(2 * numbers)
            mx.eval(self._scratch)
        return self._scratch

    def behind(self, others: Sequence[mx.array | None]) -> mx.array:
        """Returns what is computed once the newest grid is, and all of ``others``."""
        apart = {id(other): other for other in others if other is not None and other is not self.last}
        return mx.concatenate([self.last[:1], *(other[:1] for other in apart.values())]) if apart else self.last


@cache
def grid_memory() -> GridMemory:
    """Returns the memory that all grids of the device share."""
    return GridMemory()
