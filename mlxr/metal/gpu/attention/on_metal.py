"""How the Metal kernel for steps of one token a sequence is launched.

A threadgroup has the queries of one head of keys, or a part of them, and a split of the context. A key's numbers are
spread over some lanes of a simdgroup, which so has some keys at a time; each key and value is read once for all of the
threadgroup's queries. Metal 3.2 (macOS 15) is needed: before it no fence orders threadgroups' writes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu.attention import SIMDGROUPS, StepShape
from mlxr.metal.gpu.kernel import Launch

FEWEST_SPLIT_KEYS = 64
"""4 and 16 times as many where a row sees 32 and 256 times as many."""
MOST_DIMS = 512
MOST_AT_ONCE = 8
"""Heads of queries that a threadgroup has."""
MOST_LANE_NUMBERS = 32
"""Of all queries, that a lane has in registers."""


def fits(shape: StepShape) -> bool:
    """Whether the kernel computes such layers."""
    spec = shape.spec
    plain = spec.causal and not spec.alibi and spec.temperature is None and not any(shape.blocks)
    return plain and spec.head_dim % 8 == 0 and spec.head_dim <= MOST_DIMS


def step(
    rows: int, shape: StepShape, splits: int, begins: tuple[int, int, int], split_keys: int = FEWEST_SPLIT_KEYS
) -> Launch:
    """Returns the launch for ``rows`` queries. ``begins``: the first columns of queries, keys and values in their
    arrays' rows; ``split_keys``: the fewest keys of a split."""
    spec = shape.spec
    at_once, each = _shared_out(shape)
    return Launch(
        template=(*shape.template(begins), ("SPLIT_KEYS", split_keys), ("AT_ONCE", at_once), ("EACH", each)),
        grid=(32 * SIMDGROUPS * (spec.heads // at_once), splits, rows),
        threadgroup=(32 * SIMDGROUPS, 1, 1),
        shapes=((rows, spec.heads * spec.head_dim), (rows * spec.heads * splits, spec.head_dim + 2), (4,)),
        dtypes=("float16", "float32", "int32"),
    )


def splits(shape: StepShape, lengths: NDArray[np.int32], split_keys: int = FEWEST_SPLIT_KEYS) -> int:
    """Returns how many splits the sequence with most of them has."""
    positions = lengths - 1
    first = shape.spec.first_key(positions)
    keys = lengths - first
    each = split_keys * np.where(keys < 32 * split_keys, 1, np.where(keys < 256 * split_keys, 4, 16))
    return int((positions // each - first // each).max()) + 1


def _shared_out(shape: StepShape) -> tuple[int, int]:
    """Returns how many heads of queries a Metal threadgroup has, a divisor of the group, and how many numbers of a key
    are a lane's: together as many as a lane has registers for."""
    least = 4
    while 32 * least < shape.spec.head_dim:
        least *= 2
    divisors = [count for count in range(1, MOST_AT_ONCE + 1) if shape.group % count == 0]
    at_once = max(count for count in divisors if count == 1 or count * least <= MOST_LANE_NUMBERS)
    each = least
    while each < 16 and 2 * each * at_once <= MOST_LANE_NUMBERS:
        each *= 2
    return at_once, each
