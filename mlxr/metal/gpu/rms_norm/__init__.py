"""RMS norm (Zhang and Sennrich 2019) of rows to which another array may be added first: the end of one half of a layer
and the beginning of the next in one kernel.

``sum = x + residual``, ``out = sum / sqrt(mean(sum ** 2) + eps) * weight``. A threadgroup of 256 computes a row, in
float32 and in one order whatever the other rows, so a row's result does not depend on its company.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch

THREADS = 256

KERNEL = Kernel("rms_norm/rms_norm", ("x", "residual", "weight", "eps"), ("sum", "out"))
"""``x``, ``residual`` ``T`` ``[rows, width]``; ``weight`` float32 ``[width]``; ``eps`` float32 ``[1]``. ``sum``
float32 ``[rows, width]``, ``out`` ``T`` of the same shape."""


def launch(rows: int, width: int, dtype: str) -> Launch:
    return Launch(
        template=(("T", dtype), ("WIDTH", width)),
        grid=(THREADS * rows, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, width), (rows, width)),
        dtypes=("float32", dtype),
    )
