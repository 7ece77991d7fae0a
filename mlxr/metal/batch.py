"""The ragged layout of one step: which sequences run how many tokens, and where their keys and values are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """The ragged layout of one step: B sequences, T tokens in all, those of one sequence side by side.

    ``query_starts`` int32 ``[B + 1]``: first token of each sequence in the flat order. ``context_lengths`` int32
    ``[B]``: tokens of each sequence once this step is written. ``positions`` int32 ``[T]``. ``slots`` int32 ``[T]``:
    where each token's key and value go, ``page * page_size + offset``. ``block_tables`` int32 ``[B, P]``: pages of
    each sequence in order, padded with 0. A sequence may be empty (no tokens in this step); T may be 0.
    """

    query_starts: NDArray[np.int32]
    context_lengths: NDArray[np.int32]
    positions: NDArray[np.int32]
    slots: NDArray[np.int32]
    block_tables: NDArray[np.int32]
    page_size: int

    @property
    def tokens(self) -> int:
        return len(self.positions)
