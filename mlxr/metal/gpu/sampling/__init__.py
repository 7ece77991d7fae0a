"""The next token of each row, by the rules of ``SamplingBatch``: temperature, top_k, top_p and min_p one after the
other, then the inverse CDF over the candidates that are left, the likeliest first, equal ones by token id.

A threadgroup has a row. It never sorts: what a filter keeps is every token above some weight, which is found bit by bit
from sums over the row, in one order whatever the other rows. Of equal weights at the edge the first by id are kept, as
sorting would. ``typical_p``, penalties, biases and masks are applied to logits before, by MLX.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch

THREADS = 256

KERNEL = Kernel("sampling/sampling", ("logits", "options", "top_k"), ("tokens",))
"""``logits`` float32 ``[rows, vocabulary]``; ``options`` float32 ``[rows, 4]``: temperature (0 takes the best), top_p,
min_p and the row's uniform number; ``top_k`` int32 ``[rows]``, 0 for off. ``tokens`` int32 ``[rows]``, -1 where a row's
best logit is not finite."""

BEST = Kernel("sampling/best", ("logits",), ("out",))
"""``logits`` float32 ``[rows, vocabulary]``; ``out`` int32 ``[rows]``: the first of the largest, -1 where that is not
finite or any is not a number."""

BEST_THREADS = 1024


def best(rows: int, vocabulary: int) -> Launch:
    return Launch(
        template=(("VOCABULARY", vocabulary), ("THREADS", BEST_THREADS)),
        grid=(BEST_THREADS * rows, 1, 1),
        threadgroup=(BEST_THREADS, 1, 1),
        shapes=((rows,),),
        dtypes=("int32",),
    )


def launch(rows: int, vocabulary: int) -> Launch:
    return Launch(
        template=(("VOCABULARY", vocabulary),),
        grid=(THREADS * rows, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows,),),
        dtypes=("int32",),
    )
