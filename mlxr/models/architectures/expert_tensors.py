"""Experts' matrices as files keep them, gate and up in one tensor, taken apart into what a mixture multiplies by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import Tensor, TensorType

DTYPES = {TensorType.F32: np.uint32, TensorType.F16: np.uint16, TensorType.BF16: np.uint16}
"""Types whose numbers can be put elsewhere one by one, as the bits of each."""


@dataclass(frozen=True, slots=True)
class ExpertLayout:
    """How the matrices of a mixture lie in a tensor of three dimensions, the first of which counts experts.

    ``turned``: each is ``[inputs, outputs]``, not the other way round.
    ``mixed``: where gate and up lie in one, their outputs take turns, gate's first; else gate's all come first.
    """

    turned: bool = False
    mixed: bool = False

    def shape(self, count: int, outputs: int, inputs: int) -> tuple[int, int, int]:
        return (count, inputs, outputs) if self.turned else (count, outputs, inputs)


def expert_rows(whole: Tensor, layout: ExpertLayout) -> NDArray[np.uint8]:
    """Returns the bytes of every output's numbers, ``[experts, outputs, bytes]``. Raises ``ValueError`` for a turned
    tensor of a quantized type, in which no block would stay whole."""
    count, first, second = whole.shape
    if whole.extras:
        raise ValueError(f"{whole.name} keeps experts as {whole.type}")
    if not layout.turned:
        return whole.data.reshape(count, first, -1)
    if whole.type not in DTYPES:
        raise ValueError(f"{whole.name} keeps experts as {whole.type}, inputs first")
    numbers = whole.data.reshape(-1).view(DTYPES[whole.type]).reshape(count, first, second)
    return np.ascontiguousarray(numbers.swapaxes(1, 2)).view(np.uint8).reshape(count, second, -1)


def gate_and_up(whole: Tensor, layout: ExpertLayout) -> tuple[Tensor, Tensor]:
    """Returns both, each with its experts above one another. Raises as ``expert_rows`` does."""
    rows = expert_rows(whole, layout)
    half = rows.shape[1] // 2
    parts = (rows[:, ::2], rows[:, 1::2]) if layout.mixed else (rows[:, :half], rows[:, half:])
    gate, up = (above_one_another(whole, part, layout) for part in parts)
    return gate, up


def above_one_another(whole: Tensor, rows: NDArray[np.uint8], layout: ExpertLayout) -> Tensor:
    """Returns experts' rows ``[experts, outputs, bytes]`` as one matrix."""
    inputs = whole.shape[1] if layout.turned else whole.shape[2]
    count, outputs, _ = rows.shape
    return replace(whole, shape=(count * outputs, inputs), data=np.ascontiguousarray(rows).reshape(count * outputs, -1))
