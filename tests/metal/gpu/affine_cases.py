"""Products of few rows with affine codes and 16-bit floats: every prologue, every epilogue."""

from __future__ import annotations

import math
from functools import partial
from unittest.mock import patch

import numpy as np

from mlxr.metal.gpu import affine_matmul
from mlxr.metal.gpu.affine_matmul import KERNEL, RUN, Epilogue, Layout, Shape, on_metal
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.specs import Activation
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array

EPS = 1e-5


def packed_codes(codes: np.ndarray, bits: int) -> np.ndarray:
    """Returns ``codes`` ``[rows, columns]`` side by side from the lowest bit up, as uint32."""
    each = codes.astype(np.uint8)[..., None] >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(each.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little").view(np.uint32)


def affine_matrix(shape: Shape, parts: int = 1) -> tuple[list[Array], Values]:
    """Returns codes, scales and biases, columns in ``parts`` one behind the other; and the weights."""
    outputs, columns, bits, group = shape.outputs, shape.columns, shape.bits, shape.group
    rng = np.random.default_rng(bits * outputs)
    if bits == 16:
        weights = rng.standard_normal((outputs, columns)).astype(np.float16)
        none = Array.of(np.zeros(1, np.float16))
        return [Array.of(weights), none, none], weights.astype(np.float64)
    codes = rng.integers(0, 1 << bits, (outputs, columns))
    scales = (rng.uniform(0.5, 0.99, (outputs, columns // group)) * 2.0 ** (2 - bits)).astype(np.float16)
    biases = (-scales * 2.0 ** (bits - 1) * rng.uniform(0.9, 1, scales.shape)).astype(np.float16)
    wide = (np.repeat(part.astype(np.float64), group, 1) for part in (scales, biases))
    arrays = [packed_codes(codes, bits), scales, biases]
    if parts > 1:
        arrays = [array.reshape(outputs, parts, -1).swapaxes(0, 1) for array in arrays]
    scale, bias = wide
    return [Array.of(array) for array in arrays], codes * scale + bias


def gated(gate: Values, up: Values, activation: Activation) -> Values:
    active: Values
    match activation:
        case Activation.SILU:
            active = gate / (1 + np.exp(-gate))
        case Activation.GELU:
            active = 0.5 * gate * (1 + np.vectorize(math.erf)(gate / math.sqrt(2)))
        case Activation.GELU_TANH:
            active = 0.5 * gate * (1 + np.tanh(0.7978845608028654 * (gate + 0.044715 * gate**3)))
        case Activation.SWIGLU_OAI:
            gate, up = np.minimum(gate, 7), np.clip(up, -7, 7) + 1
            active = gate / (1 + np.exp(-1.702 * gate))
        case Activation.RELU_SQUARED:
            active = np.maximum(gate, 0) ** 2
    return active * up


def laid_out(rows: np.ndarray, layout: Layout) -> np.ndarray:
    """Returns ``rows`` as they lie in memory: the eights of a run of columns that lanes take at once side by side."""
    if layout is Layout.BY_ROWS:
        return rows
    eights = rows.reshape(len(rows), -1, 4, 8, 8).transpose(1, 3, 0, 2, 4)  # runs, eights of a lane, rows, lanes
    if layout is Layout.BY_RUNS_ORDERED:
        eights = eights[..., [0, 4, 1, 5, 2, 6, 3, 7]]
    return np.ascontiguousarray(eights).reshape(rows.shape)


def few_rows_case(
    rows: int,
    shape: Shape,
    epilogue: Epilogue = Epilogue.PLAIN,
    activation: Activation = Activation.SILU,
    *,
    normed: bool = False,
    biased: bool = False,
    parts: int = 1,
    dtype: str = "float16",
    language: Language = Language.METAL,
    layouts: tuple[Layout, Layout] = (Layout.BY_ROWS, Layout.BY_ROWS),
    wide: int = affine_matmul.WIDE,
) -> Case:
    """On CUDA weights are made in 16 bits before they are summed up in float32. ``layouts``: of inputs, and of gates'
    outputs; ``wide``: outputs that count as many."""
    rng = np.random.default_rng(rows * shape.columns)
    matrix, weights = affine_matrix(shape, parts)
    outputs, columns = shape.outputs, shape.columns
    units = outputs // 2 if epilogue is Epilogue.GATED else outputs
    x = Array.of(rng.standard_normal((rows, columns)), "float32" if normed else "float16")
    norm, bias = rng.standard_normal(columns), rng.standard_normal(outputs)
    residual = rng.standard_normal((rows, units)) * columns**0.5
    gain = 16.0 if epilogue is Epilogue.RESIDUAL else 1 / 16
    constants = [np.array([gain, EPS, 0, 0]), *([norm] if normed else []), *([bias] if biased else [])]
    added = Array.of(residual if epilogue is Epilogue.RESIDUAL else np.zeros(1), "float32")

    def expected() -> list[Values]:
        left = values(x)
        if normed:
            left = left / np.sqrt((left**2).mean(1, keepdims=True) + EPS) * norm.astype(np.float32)
        out = left @ weights.T + (bias.astype(np.float32) if biased else 0)
        if epilogue is Epilogue.GATED:
            out = gated(out[:, :units], out[:, units:], activation)
        return [laid_out(out * gain + (values(added) if epilogue is Epilogue.RESIDUAL else 0), layouts[1])]

    on_cuda = language is Language.CUDA
    assert shape.fits if on_cuda else on_metal.fits(shape)
    launches = partial(affine_matmul.launch, layouts=layouts) if on_cuda else on_metal.launch
    with patch.object(affine_matmul, "WIDE", wide):
        launch = launches(rows, shape, epilogue, activation, normed=normed, biased=biased, dtype=dtype)
    return Case(
        f"{KERNEL.name} {rows}x{columns}x{outputs} of {shape.bits} bits by {shape.group}, {epilogue.name} {activation}",
        KERNEL,
        launch,
        [Array(laid_out(x.bits, layouts[0]), x.dtype), *matrix, Array.of(np.concatenate(constants), "float32"), added],
        expected,
        (ROUNDING["float16"] if on_cuda or launch.dtypes[0] == "float16" else 1e-6,),
    )


def few_rows_cases() -> list[Case]:
    residual, gate = Epilogue.RESIDUAL, Epilogue.GATED
    others = list(Activation)[1:]
    return [
        few_rows_case(1, Shape(32, 256, 4, 32), normed=True, dtype="float32"),
        *(few_rows_case(2, Shape(16, 128, bits, 32), biased=True) for bits in (2, 3, 16)),
        few_rows_case(8, Shape(32, 128, 8, 32), normed=True),
        few_rows_case(8, Shape(16, 128, 6, 32)),
        few_rows_case(3, Shape(32, 256, 8, 32), residual, parts=2),
        *(few_rows_case(3, Shape(32, 64, 4, 32), gate, of, normed=True, biased=True) for of in others),
        few_rows_case(1, Shape(96, 128, 8, 32), gate, normed=True),
        few_rows_case(8, Shape(16, 128, 5, 32)),
        few_rows_case(5, Shape(16, 256, 4, 128), residual, biased=True),
        few_rows_case(8, Shape(48, 2176, 4, 64), normed=True, biased=True),
    ]


def few_rows_cases_of_cuda() -> list[Case]:
    """Each number of tiles, and of strips: two behind what counts as so many outputs that they have four."""
    cuda, residual, gate, ordered = Language.CUDA, Epilogue.RESIDUAL, Epilogue.GATED, Layout.BY_RUNS_ORDERED
    return [
        few_rows_case(1, Shape(32, 320, 4, 32), normed=True, dtype="float32", language=cuda),
        few_rows_case(1, Shape(32, 192, 16, 32), gate, normed=True, language=cuda),
        *(few_rows_case(8, Shape(64, 2176, bits, 64), residual, biased=True, language=cuda) for bits in (4, 8, 16)),
        few_rows_case(9, Shape(64, 256, 8, 128), gate, biased=True, language=cuda),
        few_rows_case(1, Shape(32, 512, 8, 64), normed=True, language=cuda),
        few_rows_case(3, Shape(2 * RUN, 512, 4, 32), gate, language=cuda, layouts=(ordered, Layout.BY_RUNS)),
        few_rows_case(20, Shape(2 * RUN, 256, 16, 32), gate, language=cuda, layouts=(Layout.BY_RUNS, ordered)),
        *(few_rows_case(20, Shape(512, 1216, bits, 32), gate, language=cuda, wide=512) for bits in (4, 16)),
        few_rows_case(8, Shape(64, 1216, 8, 32), language=cuda, wide=64),
    ]
