"""RMS norm (Zhang and Sennrich 2019) of rows, to 16 bits, as products take them: ``out = x / sqrt(mean(x ** 2) + eps) *
weight``.

A threadgroup of 256 computes a row, in float32 and in one order whatever the other rows, so a row's result does not
depend on its company.
"""

from __future__ import annotations

from mlxr.metal.gpu.affine_matmul import Layout
from mlxr.metal.gpu.kernel import Kernel, Launch

THREADS = 256

KERNEL = Kernel("rms_norm/rms_norm", ("x", "constants"), ("out",), ("affine_matmul/layout",))
"""``x`` float32 ``[rows, width]``; ``constants`` float32: the epsilon, three that are not used, and the weight
``[width]``. ``out`` float16 ``[rows, width]``, in whatever layout products take."""


EIGHT = 8
"""Numbers that a thread reads and writes together."""


def fits(width: int) -> bool:
    """Whether the kernel norms such rows."""
    return width % EIGHT == 0


def launch(rows: int, width: int, layout: Layout = Layout.BY_ROWS) -> Launch:
    assert fits(width)
    return Launch(
        template=(("WIDTH", width), ("LAYOUT", int(layout))),
        grid=(THREADS * rows, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, width),),
        dtypes=("float16",),
    )
