"""A mixture of experts for up to 32 rows, of which each chooses a few: three kernels of CUDA, one after another.

- ``router``: rows are RMS-normed (Zhang and Sennrich 2019) and multiplied by the router's matrix; the best of its
  scores are chosen, and weighed as ``ExpertsSpec`` says, groups aside.
- ``gates``: each row by the gates and what they gate of the experts that it chose: ``gain * activation(gate) * up``.
- ``mixture``: that by their other matrices; ``out[t] = residual[t] + gain * sum of share * product``, in the order in
  which the row chose them.

A matrix is read once for all rows that chose its expert. A row's sums are the same whatever rows are beside it. What is
multiplied is laid out as in ``mlxr.metal.gpu.affine_matmul``, whose tiles these kernels share.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.gpu.affine_matmul import ACTIVATIONS, STRIP, TILE, Shape
from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs import Activation, ExpertsSpec

ROUTER = Kernel(
    "experts/router",
    ("x", "router", "constants", "tickets", "done"),
    ("normed", "chosen", "shares", "logits"),
    ("experts/router",),
    writes=("tickets",),
    fixed=("x",),
)
"""``x`` float32 ``[rows, columns]``; ``router`` float16 ``[experts, columns]``; ``constants`` float32: the norm's
epsilon, what shares are multiplied by, two that are not used, the norm's weights ``[columns]``, and as far as there are
any the router's bias ``[experts]`` and the one for choices; ``tickets`` uint32, one, a zero between steps; ``done``: of
the layer's last mixture. ``normed`` float16 ``[rows, columns]``; ``chosen`` int32 and ``shares`` float32
``[rows, used]``; ``logits`` float32 ``[rows, experts]``."""

GATES = Kernel(
    "experts/gates",
    ("x", "chosen", "packed", "scales", "biases", "constants"),
    ("out",),
    ("affine_matmul/layout", "affine_matmul/tiles", "experts/product"),
)
"""``x`` float16 ``[rows, columns]``; ``chosen`` int32 ``[rows, used]``; ``packed``, ``scales``, ``biases``: codes or
16-bit floats of ``[2 * experts * units, columns]``, the gates of all experts before what they gate; ``constants``
float32: the gain, three that are not used, and biases ``[2 * experts * units]`` if there are any. ``out`` float16
``[rows * used, units]``."""

MIXTURE = Kernel(
    "experts/mixture",
    ("x", "chosen", "packed", "scales", "biases", "constants", "shares", "residual", "tickets"),
    ("out", "parts", "done"),
    ("affine_matmul/layout", "affine_matmul/tiles", "experts/product"),
    writes=("tickets",),
)
"""``x`` float16 ``[rows * used, columns]``; codes of ``[experts * outputs, columns]``; ``constants`` as for ``GATES``;
``shares`` float32 ``[rows, used]``; ``residual`` float32 ``[rows, outputs]``; ``tickets`` uint32, as many as the
function of that name says, zeros between steps. ``out`` float32 ``[rows, outputs]``; ``parts`` float32
``[rows * used, outputs]``, for the kernel itself; ``done`` int32 ``[4]``, of which the
first is written: less MLX would keep in the host's memory."""

MOST_ROWS = 32
MOST_EXPERTS = 1024
MOST_USED = 32
EXPERTS_EACH, ROUTER_THREADS = 4, 256
"""Experts and threads of the router's threadgroups."""
MOST_WARPS = 8
RUN, FLOATS_RUN = 256, 128
"""Columns that a warp multiplies at once: codes, and 16-bit floats."""


@dataclass(frozen=True)
class Choice:
    """How many experts there are and how many of them a row uses."""

    experts: int
    used: int

    @property
    def fits(self) -> bool:
        return self.experts <= MOST_EXPERTS and self.used <= min(MOST_USED, self.experts)


def fits_router(spec: ExpertsSpec, columns: int) -> bool:
    """Whether the kernel chooses so."""
    plain = (spec.groups == 1 or spec.groups <= spec.used_groups) and spec.jitter is None
    return plain and Choice(spec.experts, spec.used).fits and spec.experts % EXPERTS_EACH == 0 and columns % 8 == 0


def tickets(outputs: int) -> int:
    """How many ``MIXTURE`` takes for as many outputs of an expert."""
    return outputs // (STRIP * _mixed_strips(outputs))


def router(rows: int, columns: int, spec: ExpertsSpec, *, biased: bool, choice_biased: bool) -> Launch:
    assert 1 <= rows <= MOST_ROWS
    assert fits_router(spec, columns)
    return Launch(
        template=(
            ("EXPERTS", spec.experts),
            ("COLUMNS", columns),
            ("ROWS", next(most for most in (1, 8, 16, 32) if rows <= most)),
            ("USED", spec.used),
            ("SIGMOID", spec.sigmoid),
            ("NORMALIZED", spec.normalized),
            ("BIASED", biased),
            ("CHOICE_BIASED", choice_biased),
        ),
        grid=(ROUTER_THREADS * (spec.experts // EXPERTS_EACH), 1, 1),
        threadgroup=(ROUTER_THREADS, 1, 1),
        shapes=((rows, columns), (rows, spec.used), (rows, spec.used), (rows, spec.experts)),
        dtypes=("float16", "int32", "float32", "float32"),
    )


def gates(rows: int, shape: Shape, choice: Choice, activation: Activation, biased: bool) -> Launch:
    """``shape``: of one expert's gates and what they gate."""
    template, grid, threadgroup = _product(rows, shape, choice, 2, biased)
    return Launch(
        template=(*template, ("ACTIVATION", ACTIVATIONS[activation])),
        grid=grid,
        threadgroup=threadgroup,
        shapes=((rows * choice.used, shape.outputs // 2),),
        dtypes=("float16",),
    )


def mixture(rows: int, shape: Shape, choice: Choice, biased: bool) -> Launch:
    """``shape``: of one expert's matrix."""
    template, grid, threadgroup = _product(rows, shape, choice, _mixed_strips(shape.outputs), biased)
    return Launch(
        template=template,
        grid=grid,
        threadgroup=threadgroup,
        shapes=((rows, shape.outputs), (rows * choice.used, shape.outputs), (4,)),
        dtypes=("float32", "float32", "int32"),
    )


def _mixed_strips(outputs: int) -> int:
    return 2 if outputs % (2 * STRIP) == 0 else 1


def _product(
    rows: int, shape: Shape, choice: Choice, strips: int, biased: bool
) -> tuple[tuple[tuple[str, str | int | bool], ...], tuple[int, int, int], tuple[int, int, int]]:
    """Returns template, grid and threadgroup."""
    assert 1 <= rows <= MOST_ROWS
    assert shape.fits
    assert choice.fits
    warps = min(MOST_WARPS, -(-shape.columns // (FLOATS_RUN if shape.bits == 16 else RUN)))
    template = (
        ("BITS", shape.bits),
        ("GROUP", shape.group),
        ("COLUMNS", shape.columns),
        ("OUTPUTS", shape.outputs),
        ("EXPERTS", choice.experts),
        ("TILES", next(tiles for tiles in (1, 2, 4) if rows <= tiles * TILE)),
        ("STRIPS", strips),
        ("WARPS", warps),
        ("USED", choice.used),
        ("BIASED", biased),
    )
    grid = (32 * warps * (shape.outputs // (STRIP * strips)), rows * choice.used, 1)
    return template, grid, (32 * warps, 1, 1)
