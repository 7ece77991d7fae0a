"""A copy of what the host made, in the device's own memory."""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch

COPY = Kernel("staging/copy", ("given",), ("out",))
"""``given`` int32 ``[rows * width and more]``; ``out`` int32 ``[rows and more, width]``, of which the first rows are
written."""

THREADS = 256


def copy(rows: int, width: int, room: int) -> Launch:
    """``room``: rows of the output."""
    return Launch(
        template=(),
        grid=(-(-rows * width // THREADS) * THREADS, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((room, width),),
        dtypes=("int32",),
    )
