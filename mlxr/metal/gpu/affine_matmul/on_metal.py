"""How the Metal kernel is launched.

A threadgroup has ``QUADS`` simdgroups with some rows of the matrix each, and as many again that have the other share of
the columns. A lane has every 64th group of a row, 32 codes, and multiplies it with all rows of x, in float32. A row's
norm is a factor of its sums, whose squares are added up on the way.
"""

from __future__ import annotations

from mlxr.metal.gpu.affine_matmul import ACTIVATIONS, Epilogue, Shape
from mlxr.metal.gpu.kernel import Launch
from mlxr.metal.specs import Activation

MOST_ROWS = 8
"""Normed or not."""
BITS = (2, 3, 4, 5, 6, 8, 16)
"""16 stands for a matrix of 16-bit floats."""
GROUPS = (32, 64, 128)
WIDE = 4096
"""Outputs from which on there are enough threadgroups for all of a GPU's cores."""
QUADS = 4
THREADS = 256


def fits(shape: Shape) -> bool:
    """Whether the kernel multiplies by such a matrix."""
    if shape.bits == 16:
        return shape.columns % 8 == 0
    return shape.bits in BITS and shape.group in GROUPS and shape.columns % shape.group == 0


def launch(
    rows: int,
    shape: Shape,
    epilogue: Epilogue = Epilogue.PLAIN,
    activation: Activation = Activation.SILU,
    *,
    normed: bool = False,
    biased: bool = False,
    dtype: str = "float16",
) -> Launch:
    """``dtype``: of a plain product."""
    assert 1 <= rows <= MOST_ROWS
    gated = epilogue is Epilogue.GATED
    own = _own(rows, shape, normed)
    of_group, units = QUADS * own // (2 if gated else 1), shape.outputs // (2 if gated else 1)
    out = "float32" if epilogue is Epilogue.RESIDUAL else "float16" if gated else dtype
    return Launch(
        template=(
            ("X", "float32" if normed else "float16"),
            ("OUT", out),
            ("BITS", shape.bits),
            ("GROUP", shape.group),
            ("COLUMNS", shape.columns),
            ("ROWS", next(most for most in (1, 2, 4, 8) if rows <= most)),
            ("OWN", own),
            ("NORMED", normed),
            ("BIASED", biased),
            ("EPILOGUE", int(epilogue)),
            ("ACTIVATION", ACTIVATIONS[activation]),
        ),
        grid=(THREADS * -(-units // of_group), 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, units),),
        dtypes=(out,),
    )


def _own(rows: int, shape: Shape, normed: bool) -> int:
    """Rows of the matrix that a simdgroup has: with more it reads x less often, and there are fewer threadgroups. Of 5
    bits 8 rows' words have no registers."""
    reads_much = rows > 2 or (normed and shape.outputs >= WIDE)
    return 8 if reads_much and shape.bits != 5 else 4
