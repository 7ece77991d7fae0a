"""Products of up to 32 rows with a matrix of affine codes as MLX lays them out, or of 16-bit floats, with what stands
before and behind.

``out[m, n] = gain * sum_k x[m, k] * (codes[n, k] * scales[n, k / group] + biases[n, k / group])``, to which a bias may
be added. Before it a row of x may be RMS-normed (Zhang and Sennrich 2019); behind it the residual is added, or gates
are activated and multiplied with what they gate. So a dense layer's four products are four kernels.

The matrix is read once for all rows. A row's sums are the same whatever rows are beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs import Activation

KERNEL = Kernel(
    "affine_matmul/few_rows",
    ("x", "packed", "scales", "biases", "constants", "residual"),
    ("out",),
    ("affine_matmul/layout", "affine_matmul/tiles", "affine_matmul/few_rows"),
    fixed=("x",),
)
"""``x`` ``[rows, K]``, float16, in whatever ``Layout``, or float32 by rows where it is normed; ``packed`` uint32
``[N, K * bits / 32]`` with ``scales`` and ``biases`` float16 ``[N, K / group]``, or float16 ``[N, K]``, for which these
are not read; ``constants`` float32: the gain, the norm's epsilon, two that are not used, the norm's weights ``[K]`` and
a bias ``[N]``, added before the gain, as far as there are any (MLX keeps arrays of up to 8 bytes in the host's memory,
where every warp would wait for them); ``residual`` float32 ``[rows, N]`` where it is added. ``out`` float16
``[rows, N]``; float32 with the residual; ``[rows, N / 2]`` of gates, in whatever ``Layout``, whose rows of the matrix
stand before those of what they gate."""

BITS = (4, 8, 16)
"""16 stands for a matrix of 16-bit floats."""
GROUPS = (32, 64, 128)
MOST_ROWS = 32
MOST_NORMED_ROWS = 1
"""A threadgroup norms its rows by itself, and has room for one."""
MOST_NORMED_COLUMNS = 16_384
STRIP = 16
"""Rows of the matrix that a warp multiplies at once; their number is a multiple of it."""
COLUMNS = 64
"""Columns are a multiple of it, and of the group."""
MOST_SCALE = 0.2498
"""On CUDA scales times 2^18 are 16-bit floats."""
TILE = 8
RUN = 256
"""Columns that a warp multiplies at once."""


class Layout(IntEnum):
    """How 16-bit rows lie that a product is to take (``layout.cuh``), on CUDA; their shape is the same."""

    BY_ROWS = 0
    BY_RUNS = 1
    BY_RUNS_ORDERED = 2


class Epilogue(IntEnum):
    """What is done with a product."""

    PLAIN = 0
    RESIDUAL = 1
    GATED = 2


ACTIVATIONS = {
    Activation.SILU: 0,
    Activation.GELU_TANH: 1,
    Activation.GELU: 2,
    Activation.SWIGLU_OAI: 3,
    Activation.RELU_SQUARED: 4,
}


@dataclass(frozen=True)
class Shape:
    """Of a matrix: ``outputs`` rows of ``columns`` codes."""

    outputs: int
    columns: int
    bits: int
    group: int

    @property
    def fits(self) -> bool:
        """Whether the kernel multiplies by it; scales aside."""
        return (
            self.bits in BITS
            and self.group in GROUPS
            and self.outputs % STRIP == 0
            and self.columns % max(COLUMNS, self.group) == 0
        )

    @property
    def layout(self) -> Layout:
        """How rows are best laid out for the kernel."""
        if self.columns % RUN:
            return Layout.BY_ROWS
        return Layout.BY_RUNS_ORDERED if self.bits == 4 else Layout.BY_RUNS


def launch(
    rows: int,
    shape: Shape,
    epilogue: Epilogue = Epilogue.PLAIN,
    activation: Activation = Activation.SILU,
    *,
    normed: bool = False,
    biased: bool = False,
    dtype: str = "float16",
    layouts: tuple[Layout, Layout] = (Layout.BY_ROWS, Layout.BY_ROWS),
) -> Launch:
    """``dtype``: of a plain product. ``layouts``: of rows that are not normed, and of gates' outputs. Products of gates
    have a multiple of ``2 * STRIP`` outputs."""
    assert 1 <= rows <= (MOST_NORMED_ROWS if normed else MOST_ROWS)
    assert shape.fits
    tiles = next(tiles for tiles in (1, 2, 4) if rows <= tiles * TILE)
    gated = epilogue is Epilogue.GATED
    strips, warps = _strips(rows, shape.outputs, shape.bits, gated)
    return Launch(
        template=(
            ("BITS", shape.bits),
            ("GROUP", shape.group),
            ("COLUMNS", shape.columns),
            ("OUTPUTS", shape.outputs),
            ("TILES", tiles),
            ("STRIPS", strips),
            ("WARPS", warps),
            ("NORMED", normed),
            ("BIASED", biased),
            ("EPILOGUE", int(epilogue)),
            ("ACTIVATION", ACTIVATIONS[activation]),
            *zip(("INPUT_LAYOUT", "OUTPUT_LAYOUT"), map(int, layouts), strict=True),
        ),
        grid=(32 * warps * (shape.outputs // (STRIP * strips)), 1, 1),
        threadgroup=(32 * warps, 1, 1),
        shapes=((rows, shape.outputs // 2 if gated else shape.outputs),),
        dtypes=("float32" if epilogue is Epilogue.RESIDUAL else "float16" if gated else dtype,),
    )


PROCESSORS, WIDE = 132, 16_384
"""Of an H100 or H200; outputs from which on a threadgroup with many strips leaves enough threadgroups."""


def _strips(rows: int, outputs: int, bits: int, gated: bool) -> tuple[int, int]:
    """Strips and warps of a threadgroup, by measurement on an H200: more strips read x less often, and leave fewer
    threadgroups; two are better than one where each pair has a processor of its own."""
    wide, single = outputs >= WIDE, outputs <= PROCESSORS * 2 * STRIP
    if rows == 1:
        wanted, warps = 1, 8
    elif rows <= TILE:
        wanted, warps = ((2, 4) if wide else (2, 8) if single else (1, 8)) if bits == 8 else (1, 8)
    elif bits == 16:
        wanted, warps = (2, 4) if wide or (rows > 2 * TILE and not single) else (1, 8)
    elif wide:
        wanted, warps = 4, 4
    elif single:
        wanted, warps = 2, 8
    else:
        wanted, warps = (2, 4) if bits == 8 else (1, 8)
    strips = next(of for of in (4, 2, 1) if of <= max(wanted, 1 + gated) and outputs % (STRIP * of) == 0)
    return strips, 4 if strips == 4 else warps
