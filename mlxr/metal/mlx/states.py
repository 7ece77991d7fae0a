"""States in the pool: how a step's are read from it and written back.

A layer's array is float32 ``[pages, state_size]``. As with keys and values (``pages.py``), kernels write in place on
GPUs, behind MLX's back; elsewhere MLX scatters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx

from mlxr.metal.mlx.pages import THREADS, source


@dataclass(frozen=True, slots=True)
class States:
    """``done``: int32 ``[1]``, computed once all writes so far are; None where the array itself is."""

    values: mx.array
    done: mx.array | None = None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.values]

    @property
    def awaited(self) -> list[mx.array]:
        """What must be evaluated so that writes happen."""
        return self.arrays if self.done is None else [self.done]


class StatePages(Protocol):
    """How states are written and read."""

    def layer(self, pages: int, size: int) -> States:
        """An empty one."""
        ...

    def written(self, layer: States, pages: mx.array, states: mx.array) -> States:
        """With ``states`` ``[B, size]`` at ``pages`` int32 ``[B]``, no two of them the same. Nothing else may hold the
        array of ``layer``."""
        ...

    def read(self, layer: States, pages: mx.array) -> mx.array:
        """Returns states ``[B, size]``."""
        ...


class ScatteredStates:
    """By MLX's own scatter and gather."""

    def layer(self, pages: int, size: int) -> States:
        return States(mx.zeros((pages, size)))

    def written(self, layer: States, pages: mx.array, states: mx.array) -> States:
        values = layer.values
        values[pages] = states
        return States(values)

    def read(self, layer: States, pages: mx.array) -> mx.array:
        return layer.values[pages]


WRITE = """
    size_t at = THREAD;
    size_t size = states_shape[1];
    if (at >= size_t(states_shape[0]) * size) return;
    ((SPACE float*)all_states)[size_t(pages[at / size]) * size + at % size] = states[at];
    if (at == 0) done[0] = 0;
"""

READ = """
    size_t at = THREAD;
    size_t size = all_states_shape[1];
    if (at >= size_t(pages_shape[0]) * size) return;
    states[at] = all_states[size_t(pages[at / size]) * size + at % size];
"""


class InPlaceStates:
    """By kernels that write to the pool's own array."""

    def __init__(self, device: str) -> None:
        make: Callable[..., Any] = mx.fast.metal_kernel if device == "metal" else mx.fast.cuda_kernel
        self._write = make("write_states", ["states", "pages", "all_states", "before"], ["done"], source(WRITE, device))
        self._read = make("read_states", ["all_states", "pages", "before"], ["states"], source(READ, device))

    def layer(self, pages: int, size: int) -> States:
        return States(mx.zeros((pages, size)), mx.zeros(1, mx.int32))

    def written(self, layer: States, pages: mx.array, states: mx.array) -> States:
        (done,) = self._write(
            inputs=[states, pages, layer.values, layer.done],
            grid=(states.size, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(1,)],
            output_dtypes=[mx.int32],
        )
        return States(layer.values, done)

    def read(self, layer: States, pages: mx.array) -> mx.array:
        size = layer.values.shape[1]
        (states,) = self._read(
            inputs=[layer.values, pages, layer.done],
            grid=(pages.size * size, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(pages.size, size)],
            output_dtypes=[mx.float32],
        )
        out: mx.array = states
        return out
