"""MLX's kernels on a machine without a GPU: what the mlx backend gives to MLX, the emulator runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxr.metal.gpu.kernel import Kernel, Language, Launch
from mlxr.metal.mlx import (
    dense_layers,
    few_row_matmul,
    own_blocks,
    own_experts,
    own_recurrence,
    own_sampling,
    paged_prefill,
    recurrence_steps,
    staging,
    step_attention,
    tables,
)
from tests.metal.gpu.emulated import Array, numpy_type, run


def forget_kernels() -> None:
    """Has the mlx backend make its kernels anew: it keeps them for a process, which has one device, and tests have
    another each."""
    for module in MODULES:
        for kept in vars(module).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()


@dataclass(frozen=True)
class Source(Kernel):
    """A kernel as its texts."""

    text: str = ""
    functions: str = ""

    def body(self, language: Language) -> str:
        return self.text

    def header(self, language: Language) -> str:
        return self.functions


MODULES = (
    dense_layers,
    few_row_matmul,
    own_blocks,
    own_experts,
    own_recurrence,
    own_sampling,
    paged_prefill,
    recurrence_steps,
    staging,
    step_attention,
    tables,
)
"""Those that keep kernels."""

INCLUDED = re.compile(r'^#include "(.*)"$', re.MULTILINE)


def metal_kernel(*given: Any, **named: Any) -> Callable[..., list[mx.array]]:
    """As ``mx.fast.metal_kernel``. What it gives computes at once, and changes inputs where the kernel does."""
    return _kernel(Language.METAL, *given, **named)


def cuda_kernel(*given: Any, **named: Any) -> Callable[..., list[mx.array]]:
    """Likewise."""
    return _kernel(Language.CUDA, *given, **named)


def _kernel(
    language: Language,
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    **_: Any,
) -> Callable[..., list[mx.array]]:
    names = tuple(input_names)
    header = INCLUDED.sub(lambda found: Path(found[1]).read_text(), header)
    bounds = (0, 0) if "__launch_bounds__" in header else None
    kernel = Source(f"emulated/{name}", names, tuple(output_names), text=source, functions=header)
    kernel = replace(kernel, writes=names, bounds=bounds)

    def launched(
        inputs: Sequence[mx.array],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        output_shapes: Sequence[Sequence[int]],
        output_dtypes: Sequence[mx.Dtype],
        template: Sequence[tuple[str, Any]] = (),
    ) -> list[mx.array]:
        mx.eval(*inputs)
        width, height, depth = (min(size, whole) for size, whole in zip(threadgroup, grid, strict=True))
        launch = Launch(
            tuple((key, _name(value) if isinstance(value, mx.Dtype) else value) for key, value in template),
            # Threads beyond the grid run here too: bodies that are not told whole threadgroups look by themselves.
            (-(-grid[0] // width) * width, -(-grid[1] // height) * height, -(-grid[2] // depth) * depth),
            (width, height, depth),
            tuple(tuple(shape) for shape in output_shapes),
            tuple(_name(dtype) for dtype in output_dtypes),
        )
        given = [Array(_bits(array), _name(array.dtype)) for array in inputs]
        outs = run(kernel, launch, given, language=language)
        for array, before, after in zip(inputs, given, outs[len(output_names) :], strict=True):
            if before.bits.tobytes() != after.bits.tobytes():
                np.array(array, copy=False).view(numpy_type(after.dtype))[...] = after.bits
        return [_made(out) for out in outs[: len(output_names)]]

    return launched


def _name(dtype: mx.Dtype) -> str:
    return str(dtype).rpartition(".")[2]


def _bits(array: mx.array) -> np.ndarray:
    return np.ascontiguousarray(np.array(array.view(mx.uint16) if array.dtype == mx.bfloat16 else array))


def _made(array: Array) -> mx.array:
    values = mx.array(array.bits)
    return values.view(mx.bfloat16) if array.dtype == "bfloat16" else values
