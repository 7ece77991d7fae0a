"""Whether a model fits into memory, and with which context: one arithmetic for who asks beforehand and for the load."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

from mlxr.actors.executor.pool_size import PoolSizes, pool_spec
from mlxr.actors.scheduler.row_drafts import LONGEST_DRAFT
from mlxr.metal.sizes import FLOAT_BYTES, BackendSizes
from mlxr.models.footprint import Footprint
from mlxr.models.sizes import readable
from mlxr.runtime.errors import ModelError

LEAST_CONTEXT = 512
"""Tokens of context that a load must have room for where nobody asks for more: with less no model is of use."""

ROWS_BESIDE, HIDDEN_BESIDE = 6, 4
"""How many rows of a hidden state, and of the widest row between two matrices, a step keeps for each of its tokens."""

SAMPLED_ROWS = LONGEST_DRAFT + 1
"""Rows of logits that are there at once: a sequence has one behind each token of a draft, and one more."""

VOCABULARY_BYTES, TOKEN_BYTES = 12_000_000, 680
"""What a vocabulary takes, as llguidance has it and as it is made: alone, and for each of its tokens (measured with
49,152 and 262,144)."""

ENGINE_BYTES = 64 << 20
"""What an executor's process takes without a model: Python, MLX and the kernels."""


class DoesNotFit(ModelError):  # noqa: N818  (what is so of the model)
    """A model needs more memory than there is."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a load needs, in bytes, and what there is.

    ``weights``: as the backend holds them.
    ``loading``: the most that is held while weights are read, theirs among it.
    ``cache``: of a pool for one sequence of ``context`` tokens.
    ``working``: of what a step works with, and of the vocabulary.
    ``context``: tokens; 0 for a model that keeps nothing of a sequence.
    ``available``: what may still be taken.
    ``fitting_context``: the longest context that there is room for, ``context`` at most; 0 for none.
    ``is_set``: whether ``context`` is somebody's wish.
    """

    weights: int
    loading: int
    cache: int
    working: int
    context: int
    available: int
    fitting_context: int
    is_set: bool

    @property
    def needed(self) -> int:
        return max(self.loading, self.weights + self.cache + self.working)

    @property
    def fits(self) -> bool:
        return self.needed <= self.available

    def require(self) -> None:
        """Raises ``DoesNotFit``."""
        if not self.fits:
            raise DoesNotFit(f"it {self.refusal}")

    @property
    def refusal(self) -> str:
        """Why a load is refused, and the way out: one sentence for after a model's name."""
        context = f" and {readable(self.cache)} for a context of {self.context} tokens" if self.context else ""
        beside = max(self.needed - self.weights - self.cache, 0)
        way_out = "take a smaller quantization, or free memory"
        if self.is_set and self.fitting_context >= min(LEAST_CONTEXT, self.context):
            way_out = f"--set executor.context_length={self.fitting_context}, or take a smaller quantization"
        return (
            f"needs {readable(self.weights)} for weights{context} ({readable(beside)} beside), "
            f"{readable(self.available)} available; {way_out}"
        )


def wished_context(footprint: Footprint, context_length: int) -> tuple[int, bool]:
    """Returns the context that a load must have room for, and whether it is the ``context_length`` that is set."""
    if not footprint.groups:
        return 0, False
    return min(context_length or LEAST_CONTEXT, footprint.context_length), bool(context_length)


def memory_need(
    footprint: Footprint,
    sizes: PoolSizes,
    backend: BackendSizes,
    context_length: int,
    available: int,
) -> MemoryNeed:
    """Returns what a load needs.

    ``sizes``: of the pool, whose budget does not count here. ``backend``: what that takes. ``context_length``: as it
    is set, 0 for the model's own as far as memory goes. ``available``: bytes that may still be taken.
    """
    context, is_set = wished_context(footprint, context_length)
    working = working_bytes(footprint, sizes)

    def cache(tokens: int) -> int:
        return (
            backend.resident(pool_spec(footprint.groups, replace(sizes, tokens=tokens), backend.pool)) if tokens else 0
        )

    # A pool of a size that is set holds that, whatever context is asked for.
    wanted = max(context, sizes.tokens) if footprint.groups else 0
    room = available - footprint.weights - working
    fitting = context
    if cache(wanted) > room:
        pages = range(1, -(-context // sizes.page_size) + 1)
        fitting = bisect.bisect_right(pages, room, key=lambda n: cache(n * sizes.page_size)) * sizes.page_size
    return MemoryNeed(
        weights=footprint.weights,
        loading=footprint.loading,
        cache=cache(wanted),
        working=working,
        context=context,
        available=available,
        fitting_context=min(fitting, context),
        is_set=is_set or bool(sizes.tokens),
    )


def working_bytes(footprint: Footprint, sizes: PoolSizes) -> int:
    """Returns what an engine takes besides weights and pages, about: its longest step, the vocabulary that constraints
    are compiled against, and pages on their way to the disk."""
    beside = VOCABULARY_BYTES + TOKEN_BYTES * footprint.vocabulary + sizes.staging if footprint.groups else 0
    return step_bytes(footprint, sizes.longest_row) + beside


def step_bytes(footprint: Footprint, tokens: int) -> int:
    """Returns what a step of one sequence's tokens works with, about."""
    rows = tokens * (ROWS_BESIDE * footprint.width + HIDDEN_BESIDE * footprint.hidden)
    return (rows + SAMPLED_ROWS * footprint.vocabulary) * FLOAT_BYTES
