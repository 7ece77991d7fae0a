"""Products of few rows by a kernel of our own (``mlxr.metal.gpu.affine_matmul``), with what stands before and behind
them in the same kernel: the norm of a row, a residual, gates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import NamedTuple

import mlx.core as mx

from mlxr.metal.gpu import affine_matmul, rms_norm
from mlxr.metal.gpu.affine_matmul import (
    MOST_NORMED_COLUMNS,
    MOST_NORMED_ROWS,
    MOST_ROWS,
    STRIP,
    Epilogue,
    Layout,
    Shape,
    on_metal,
)
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx import device
from mlxr.metal.mlx.matrix_forms import AFFINE, HALF, Blocks, Codes, Floats, Matrix
from mlxr.metal.specs import Activation

Launched = Callable[..., list[mx.array]]


def takes(matrix: Matrix) -> bool:
    """Whether the kernel multiplies few rows by the matrix."""
    affine = isinstance(matrix, Codes) and matrix.mode == AFFINE and matrix.packed.ndim == 2
    if isinstance(matrix, Blocks) or not (affine or isinstance(matrix, Floats)):
        return False
    if device.language() is Language.METAL:
        return on_metal.fits(shape_of(matrix))
    if isinstance(matrix, Floats) or not shape_of(matrix).fits:
        return shape_of(matrix).fits
    return bool(mx.all(mx.abs(matrix.scales) <= affine_matmul.MOST_SCALE).item())


def shape_of(codes: Codes | Floats) -> Shape:
    if isinstance(codes, Floats):
        outputs, columns = codes.values.shape
        return Shape(outputs, columns, 16, 32)
    outputs, words = codes.packed.shape
    return Shape(outputs, words * 32 // codes.bits, codes.bits, codes.group)


class Norm:
    """The RMS norm of rows before a product: ``weight`` float32 ``[in]``."""

    def __init__(self, weight: mx.array, eps: float) -> None:
        self.weight, self.eps = weight, eps
        self._constants = device.constants([mx.array([eps, 0.0, 0.0, 0.0]), weight])

    def __call__(self, x: mx.array) -> mx.array:
        """16-bit, of float32 ``x`` ``[T, in]``."""
        if device.kind() == "cuda" and rms_norm.fits(x.shape[1]):
            return self.of_few(x)
        return mx.fast.rms_norm(x, self.weight, self.eps).astype(HALF)

    def of_few(self, x: mx.array, layout: Layout = Layout.BY_ROWS) -> mx.array:
        """Returns the same by a kernel of our own, where ``rms_norm.fits``."""
        out: mx.array
        (out,) = _norming(*x.shape, layout)(inputs=[x, self._constants])
        return out


class Product(NamedTuple):
    """What a product is told of its call: rows, and what is around it."""

    rows: int
    epilogue: Epilogue = Epilogue.PLAIN
    activation: Activation = Activation.SILU
    dtype: str = "float16"
    layout: Layout = Layout.BY_ROWS
    gated_layout: Layout = Layout.BY_ROWS


class FewRows:
    """A matrix that ``takes`` accepts, with a bias, 16-bit ``[out]``, and a gain; ``norm`` is for its inputs.

    ``matrix``: codes, scales and biases, as the kernel takes them; ``layout``: how it takes 16-bit rows fastest.
    """

    def __init__(
        self, codes: Codes | Floats, bias: mx.array | None = None, norm: Norm | None = None, gain: float = 1.0
    ) -> None:
        self._on_metal = device.language() is Language.METAL  # asked once: it takes as long as a call's own part
        self._most_rows = on_metal.MOST_ROWS if self._on_metal else MOST_ROWS
        self.shape, self.bias, self.gain = shape_of(codes), bias, gain
        self.layout = Layout.BY_ROWS if self._on_metal else self.shape.layout
        self._norm, self._biased = norm, bias is not None
        self.matrix = list(codes.arrays)
        if isinstance(codes, Floats):
            self.matrix += [mx.zeros(1, HALF)] * 2
        self._launches: dict[Product, tuple[Launched, bool, list[mx.array]]] = {}
        self._constants = {normed: self._together(norm if normed else None, bias, gain) for normed in (False, True)}
        mx.eval(self.matrix, list(self._constants.values()))

    @staticmethod
    def _together(norm: Norm | None, bias: mx.array | None, gain: float) -> mx.array:
        parts = [mx.array([gain, norm.eps if norm else 0.0, 0.0, 0.0], mx.float32)]
        parts += [] if norm is None else [norm.weight]
        parts += [] if bias is None else [bias]
        return device.constants(parts)

    def takes(self, rows: int) -> bool:
        """Whether the kernel multiplies so many."""
        return 0 < rows <= self._most_rows

    def takes_norm(self, rows: int) -> bool:
        """Whether the kernel norms so many rows itself; others go through ``Norm.of_few`` first."""
        if self._norm is None or self._on_metal:
            return self._norm is not None
        return rows <= MOST_NORMED_ROWS and self.shape.columns <= MOST_NORMED_COLUMNS

    def plain(self, x: mx.array, dtype: str = "float16", layout: Layout = Layout.BY_ROWS) -> mx.array:
        """``x`` ``[T, in]``, 16-bit in ``layout``, or float32 where it has a norm: ``[T, out]`` of ``dtype``."""
        return self._multiplied(x, None, Product(x.shape[0], dtype=dtype, layout=layout))

    def added(self, x: mx.array, residual: mx.array, layout: Layout = Layout.BY_ROWS) -> mx.array:
        """Returns the product of 16-bit ``x`` ``[T, in]`` and ``residual`` together, both float32 ``[T, out]``."""
        of = Product(x.shape[0], Epilogue.RESIDUAL, dtype="float32", layout=layout)
        return self._multiplied(x, residual, of)

    def gated(self, x: mx.array, activation: Activation, gated_layout: Layout = Layout.BY_ROWS) -> mx.array:
        """As ``plain``, of gates and what they gate: 16-bit ``[T, out / 2]``, laid out so."""
        of = Product(x.shape[0], Epilogue.GATED, activation, gated_layout=gated_layout)
        return self._multiplied(x, None, of)

    def _multiplied(self, x: mx.array, residual: mx.array | None, of: Product) -> mx.array:
        found = self._launches.get(of)
        if found is None:
            normed = self.takes_norm(of.rows)
            lies = of if self._norm is None or normed else of._replace(layout=self.layout)
            launched = _launching(lies, self.shape, normed, self._biased)
            found = self._launches[of] = launched, normed, [*self.matrix, self._constants[normed]]
        launched, normed, others = found
        if not normed:  # a layer without a norm gives its rows as they are, in float32
            x = x.astype(HALF) if self._norm is None else self._norm.of_few(x, self.layout)
        out: mx.array
        (out,) = launched(inputs=[x, *others, others[-1] if residual is None else residual])
        return out


def fits_gates(codes: Codes | Floats) -> bool:
    """Whether gates and what they gate, one above the other, have whole strips each."""
    return shape_of(codes).outputs % (2 if device.language() is Language.METAL else 2 * STRIP) == 0


def checked() -> list[tuple[int, int]]:
    """Returns bits of codes and numbers of rows that between them take each way through the kernel here."""
    if device.language() is Language.METAL:
        return [(4, 1), (8, 1), *((bits, on_metal.MOST_ROWS) for bits in on_metal.BITS)]
    first, *others = affine_matmul.BITS
    counts = (1, affine_matmul.TILE, affine_matmul.TILE + 1, MOST_ROWS)
    return [*((first, rows) for rows in counts), *((bits, rows) for bits in others for rows in (1, MOST_ROWS))]


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(affine_matmul.KERNEL, device.language())


@lru_cache(256)
def _norming(rows: int, width: int, layout: Layout) -> Launched:
    return _norm().launching(rms_norm.launch(rows, width, layout))


@cache
def _norm() -> MadeKernel:
    return MadeKernel(rms_norm.KERNEL, Language.CUDA)


@cache
def _launching(of: Product, shape: Shape, normed: bool, biased: bool) -> Launched:
    on_cuda = device.language() is Language.CUDA
    launches = partial(affine_matmul.launch, layouts=(of.layout, of.gated_layout)) if on_cuda else on_metal.launch
    launch = launches(of.rows, shape, of.epilogue, of.activation, normed=normed, biased=biased, dtype=of.dtype)
    return _kernel().launching(launch)


__all__ = ["FewRows", "Norm", "Product", "fits_gates", "shape_of", "takes"]
