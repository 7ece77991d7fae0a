"""One launch of a kernel, and what must come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu.kernel import Kernel, Language, Launch
from tests.metal.gpu.emulated import Array

Values = NDArray[np.float64]

ROUNDING = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Of one rounding to a type, relative; twice what is lost at most."""


@dataclass(frozen=True)
class Case:
    """One launch of a kernel.

    Attributes:
        expected: each output, and then each input that is changed, in float64, computed from the inputs as the device
            has them.
        tolerance: of each output, of its largest number.
        seen: makes of the outputs what is compared.
        language: whose body it is.
    """

    name: str
    kernel: Kernel
    launch: Launch
    inputs: list[Array]
    expected: Callable[[], list[Values]]
    tolerance: tuple[float, ...]
    seen: Callable[[list[Array]], list[Array]] = list
    language: Language = Language.METAL

    def check(self, outputs: list[Array]) -> None:
        """Raises ``AssertionError`` where an output is wrong."""
        for index, (output, expected, tolerance) in enumerate(
            zip(self.seen(outputs), self.expected(), self.tolerance, strict=True)
        ):
            error = np.abs(output.numpy().astype(np.float64) - expected).max() / np.abs(expected).max()
            assert error <= tolerance, f"{self.name}: output {index} is off by {error:.3g}"


def values(array: Array) -> Values:
    return array.numpy().astype(np.float64)
