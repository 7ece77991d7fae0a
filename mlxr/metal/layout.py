"""The shape of the work: attention and MLP settings, page-pool geometry, and the ragged batch of one step.

Nothing here computes; every backend reads the same records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class RopeStyle(StrEnum):
    """Which pairs rotate together: neighbours ``(2i, 2i+1)``, or halves ``(i, i + dims/2)`` (GPT-NeoX)."""

    NORMAL = "normal"
    NEOX = "neox"


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary embedding (Su et al. 2021): pair i of position p turns by ``p * inverse_frequencies[i]``.

    ``inverse_frequencies``: float32 ``[dims / 2]``, with all scaling (linear, Llama 3, YaRN) already in.
    ``magnitude`` multiplies sine and cosine (YaRN's attention factor).
    """

    style: RopeStyle
    inverse_frequencies: tuple[float, ...]
    magnitude: float = 1.0


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """Grouped-query attention. ``window``: a query at position p sees keys in ``(p - window, p]``, 0 for all.

    ``softcap``: scores become ``softcap * tanh(score / softcap)``, 0 for none. ``causal`` False: every token of a
    sequence sees every other of the same step, nothing is written to pages (encoders).
    ``norm_eps`` serves the input norm, query and key norms, and the post norm.
    """

    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    rope: Rope | None = None
    norm_eps: float = 1e-5
    window: int = 0
    softcap: float = 0.0
    causal: bool = True


class Activation(StrEnum):
    """The gate's nonlinearity. ``GELU_TANH`` is the tanh approximation, ``GELU`` the exact one (erf)."""

    SILU = "silu"
    GELU_TANH = "gelu_tanh"
    GELU = "gelu"


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Geometry of the KV pool: per layer keys and values of ``pages * page_size`` tokens.

    The logical layout is ``[pages, page_size, kv_heads, head_dim]``; a backend may order a page as suits it.
    """

    layers: int
    pages: int
    page_size: int
    kv_heads: int
    head_dim: int

    def values_per_token(self) -> int:
        """Stored numbers a token, keys and values of all layers together."""
        return 2 * self.layers * self.kv_heads * self.head_dim


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


class Judge(Protocol):
    """Knows which tokens each of R rows may take, as masks of ``ceil(V / 32)`` words."""

    def __call__(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        """Of tokens drawn, one a row, the rows whose token is forbidden, each with its mask."""
        ...

    def masks(self) -> NDArray[np.int32]:
        """All rows' masks, int32 ``[R, ceil(V / 32)]``."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingBatch:
    """How R rows of logits are sampled, one entry a row (meaning as in ``messages.common.Sampling``).

    float32 ``[R]``: ``temperature``, ``top_p``, ``min_p``, ``typical_p``, ``repetition``, ``presence``,
    ``frequency``, and ``uniform`` in [0, 1), the row's random number. int32 ``[R]``: ``top_k`` (0 for off).
    ``history`` int32 ``[R, H]``: tokens that penalties look at,
    -1 where there is none; ``generated`` bool ``[R, H]``: those that presence and frequency count. ``bias_rows``,
    ``bias_tokens`` int32 ``[N]`` and ``bias_values`` float32 ``[N]``: logit_bias of all rows as triples. ``mask``
    int32 ``[R, ceil(V / 32)]``: bit t of a row allows token t; None allows all. ``logprobs``: how many alternatives
    to report for every row, -1 for no log-probabilities at all.

    ``judge`` stands in for ``mask``. A mask can cost more than the rest of a step, and most tokens that a model likes
    are allowed anyway. So a backend may draw every row as if all were, ask, and draw the rows again that the judge
    forbids, with the mask it then gives and another random number. Without truncation that is the masked distribution
    exactly; top_k and the like then cut the free distribution first, as in llama.cpp.

    Sampling draws by inverse CDF over candidates in descending order of probability, equal ones by token id: the
    token is the first whose cumulative probability exceeds ``uniform * total``. Log-probabilities are of the raw
    logits, before penalties.
    """

    temperature: NDArray[np.float32]
    top_k: NDArray[np.int32]
    top_p: NDArray[np.float32]
    min_p: NDArray[np.float32]
    typical_p: NDArray[np.float32]
    repetition: NDArray[np.float32]
    presence: NDArray[np.float32]
    frequency: NDArray[np.float32]
    uniform: NDArray[np.float32]
    history: NDArray[np.int32] | None = None
    generated: NDArray[np.bool_] | None = None
    bias_rows: NDArray[np.int32] | None = None
    bias_tokens: NDArray[np.int32] | None = None
    bias_values: NDArray[np.float32] | None = None
    mask: NDArray[np.int32] | None = None
    judge: Judge | None = None
    logprobs: int = -1

    @property
    def rows(self) -> int:
        return len(self.temperature)

    @property
    def allowed(self) -> NDArray[np.int32] | None:
        """The mask, for a backend that asks nobody."""
        return self.judge.masks() if self.judge is not None else self.mask
