"""Every kernel with inputs of awkward sizes and what must come out, for tests, mutations and the table of limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu import rms_norm
from mlxr.metal.gpu.kernel import Kernel, Launch
from tests.metal.gpu.emulated import Array

Values = NDArray[np.float64]

ROUNDING = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Of one rounding to a type, relative; twice what is lost at most."""


@dataclass(frozen=True)
class Case:
    """One launch of a kernel.

    Attributes:
        expected: each output in float64, computed from the inputs as the device has them.
        tolerance: of each output, of its largest number.
    """

    name: str
    kernel: Kernel
    launch: Launch
    inputs: list[Array]
    expected: Callable[[], list[Values]]
    tolerance: tuple[float, ...]

    def check(self, outputs: list[Array]) -> None:
        """Raises ``AssertionError`` where an output is wrong."""
        for index, (output, expected, tolerance) in enumerate(
            zip(outputs, self.expected(), self.tolerance, strict=True)
        ):
            error = np.abs(output.numpy().astype(np.float64) - expected).max() / np.abs(expected).max()
            assert error <= tolerance, f"{self.name}: output {index} is off by {error:.3g}"


def values(array: Array) -> Values:
    return array.numpy().astype(np.float64)


def rms_norm_case(rows: int, width: int, dtype: str) -> Case:
    rng = np.random.default_rng(rows * width)
    x, residual = (Array.of(rng.standard_normal((rows, width), np.float32), dtype) for _ in range(2))
    weight, eps = Array.of(rng.standard_normal(width, np.float32)), Array.of(np.array([1e-5], np.float32))

    def expected() -> list[Values]:
        total = values(x) + values(residual)
        return [total, total / np.sqrt((total**2).mean(1, keepdims=True) + 1e-5) * values(weight)]

    return Case(
        f"rms_norm {rows}x{width} {dtype}",
        rms_norm.KERNEL,
        rms_norm.launch(rows, width, dtype),
        [x, residual, weight, eps],
        expected,
        (1e-6, 4 * ROUNDING[dtype]),
    )


def cases() -> list[Case]:
    return [
        rms_norm_case(3, 64, "float32"),
        rms_norm_case(2, 1000, "float16"),
        rms_norm_case(1, 257, "bfloat16"),
    ]
