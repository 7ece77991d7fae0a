"""Where a kernel's body runs: on the GPU of a Mac, elsewhere in the emulator."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from tests.metal.gpu import emulated
from tests.metal.gpu.emulated import Array, numpy_type

ON_METAL = mx.metal.is_available()


def run(kernel: Kernel, launch: Launch, inputs: list[Array], seed: int = 0) -> list[Array]:
    """Returns the kernel's outputs, and behind them the inputs that it changes. ``seed``: of the order of threads in
    the emulator, which raises ``KernelError``."""
    if not ON_METAL:
        return emulated.run(kernel, launch, inputs, seed=seed)
    given = [_to_device(array) for array in inputs]
    made = MadeKernel(kernel, Language.METAL)(given, launch)
    mx.eval(made)
    written = [kernel.inputs.index(name) for name in kernel.writes]
    return [
        *(_from_device(array, dtype) for array, dtype in zip(made, launch.dtypes, strict=True)),
        *(_from_device(given[at], inputs[at].dtype) for at in written),
    ]


def _to_device(array: Array) -> mx.array:
    values = mx.array(array.bits)
    return values.view(mx.bfloat16) if array.dtype == "bfloat16" else values


def _from_device(array: mx.array, dtype: str) -> Array:
    bits = array.view(mx.uint16) if dtype == "bfloat16" else array
    return Array(np.array(bits).astype(numpy_type(dtype), copy=False), dtype)
