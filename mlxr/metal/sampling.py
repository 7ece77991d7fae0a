"""How the rows of a step are sampled, and what sampling gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import mlx.core as mx


class TokenValidator(Protocol):
    """Knows which tokens each of R rows may take, as masks of ``ceil(V / 32)`` words: bit ``t % 32`` of word
    ``t // 32`` allows token t.

    It can be asked in two ways, and either serves every row. A mask can cost more than the rest of a step, and most
    tokens that a model likes are allowed anyway: so a backend that can call Python in the middle of a step draws every
    row as if all tokens were allowed, asks ``forbidden``, and draws the rows it names again, with their masks and other
    random numbers. Without truncation that is the masked distribution exactly; top_k and the like then cut the free
    distribution first, as in llama.cpp. A backend that can't (a GPU) asks for ``masks`` before it queues the sampling.
    """

    def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        """Returns the rows whose token, of ``tokens`` drawn one a row, is forbidden, each with its mask."""
        ...

    def masks(self) -> NDArray[np.int32]:
        """Returns all rows' masks, int32 ``[R, ceil(V / 32)]``."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingBatch:
    """How R rows of logits are sampled, one entry a row (meaning as in ``messages.common.Sampling``).

    float32 ``[R]``: ``temperature``, ``top_p``, ``min_p``, ``typical_p``, ``repetition``, ``presence``,
    ``frequency``, and ``uniform`` in [0, 1), the row's random number. int32 ``[R]``: ``top_k`` (0 for off).
    ``history`` int32 ``[R, H]``: tokens that penalties look at, -1 where there is none; ``generated`` bool ``[R, H]``:
    those that presence and frequency count.
    ``bias_rows``, ``bias_tokens`` int32 ``[N]`` and ``bias_values`` float32 ``[N]``: logit_bias of all rows as triples.
    ``validator``: says which tokens the rows may take; None allows all.
    ``logprobs``: how many alternatives to report for every row; None for no log-probabilities at all.

    Sampling draws by inverse CDF over candidates in descending order of probability, equal ones by token id: the
    token is the first whose cumulative probability exceeds ``uniform * total``. Log-probabilities are of the raw
    logits, before penalties.
    """

    temperature: NDArray[np.float32]
    top_k: NDArray[np.int32]
    top_p: NDArray[np.float32]
    min_p: NDArray[np.float32]
    typical_p: NDArray[np.float32]
    repetition_penalty: NDArray[np.float32]
    presence_penalty: NDArray[np.float32]
    frequency_penalty: NDArray[np.float32]
    uniform: NDArray[np.float32]
    history: NDArray[np.int32] | None = None
    generated: NDArray[np.bool_] | None = None
    bias_rows: NDArray[np.int32] | None = None
    bias_tokens: NDArray[np.int32] | None = None
    bias_values: NDArray[np.float32] | None = None
    validator: TokenValidator | None = None
    logprobs: int | None = None

    @property
    def rows(self) -> int:
        return len(self.temperature)


@dataclass(frozen=True, slots=True)
class SampledRows:
    """``tokens`` int32 ``[R]``, -1 where a row's best logit is not finite (NaN, or nothing allowed).

    With log-probabilities: ``logprobs`` float32 ``[R]`` of those tokens, and the best ``k`` alternatives as
    ``top_tokens`` int32 and ``top_logprobs`` float32 ``[R, k]``, descending; None without.
    """

    tokens: mx.array
    logprobs: mx.array | None = None
    top_tokens: mx.array | None = None
    top_logprobs: mx.array | None = None
