"""The ragged layout of one step: which sequences run how many tokens, and where their keys and values are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import AdapterStack


@dataclass(frozen=True, slots=True)
class GroupTables:
    """Where one cache group keeps what it keeps of a step's sequences.

    ``slots`` int32 ``[T]``: where each token's key and value go, ``page * page_size + offset``; empty for states.
    ``block_tables`` int32 ``[B, P]``: pages of each sequence in order, padded with 0. Entries that no query of the step
    can see (before a window) may be anything, and must not be read. Of states the one entry is the sequence's own; it
    is to be taken for all zeros where the sequence begins in this step, at position 0.
    ``page_size``: tokens a page.
    """

    slots: NDArray[np.int32]
    block_tables: NDArray[np.int32]
    page_size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The ragged layout of one step: B sequences, T tokens in all, those of one sequence side by side.

    ``query_starts`` int32 ``[B + 1]``: first token of each sequence in the flat order.
    ``context_lengths`` int32 ``[B]``: tokens of each sequence once this step is written.
    ``positions`` int32 ``[T]``.
    ``groups``: tables of each cache group.
    ``adapters``: those of each sequence; empty where no sequence has any.
    ``segments`` int32 ``[T]``: the segment of each token (encoders with two of them); None where all are of the first.
    ``outputs`` int32, ascending: the tokens whose hidden states are read behind the layers; None where those of all may
    be. Those of others may be anything then, but what is kept of them is not.

    A sequence may be empty (no tokens in this step); T may be 0.
    """

    query_starts: NDArray[np.int32]
    context_lengths: NDArray[np.int32]
    positions: NDArray[np.int32]
    groups: tuple[GroupTables, ...]
    adapters: tuple[AdapterStack, ...] = ()
    segments: NDArray[np.int32] | None = None
    outputs: NDArray[np.int32] | None = None

    @property
    def tokens(self) -> int:
        return len(self.positions)
