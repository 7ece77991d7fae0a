"""What backends compute with on this machine, and how fast: measured once, in a process of its own.

``python -m mlxr.metal.machine BACKEND THREADS CHECKS`` prints a ``Machine`` as JSON, for a caller that must not load
MLX itself. It takes about a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.mlx.sizes import MlxSizes
from mlxr.metal.reference.sizes import ReferenceSizes
from mlxr.metal.sizes import BackendSizes

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import RowOperation

MATRIX_BYTES = 64 << 20
"""Of each matrix that is measured: two of them by turns are more than caches hold."""

COLUMNS = 4096
TURNS = 24
CHAIN = 32
"""Small products one after another, which cost what it takes to begin each."""


class Machine(Struct, frozen=True):
    """What was found.

    backend: its name.
    reason: why it was chosen, for people.
    step_tokens: as in ``Backend``.
    int16, modes: what ``BackendSizes`` of the backend need to know.
    code_rate, float_rate: bytes a second that one row is multiplied with, of matrices of codes and of floats.
    begin_seconds: what each product costs besides.
    memory: bytes that the device has left, None where it computes in the system's memory.
    shares_memory: whether the device's memory is the system's own.
    busy: whether others computed meanwhile, so that rates may be too low.
    """

    backend: str
    reason: str
    step_tokens: int
    int16: int = 0
    modes: list[str] = []
    code_rate: float = 0.0
    float_rate: float = 0.0
    begin_seconds: float = 0.0
    memory: int | None = None
    shares_memory: bool = False
    busy: bool = False

    @property
    def sizes(self) -> BackendSizes:
        match self.backend:
            case "cpu":
                return CpuSizes(self.int16)
            case "mlx":
                return MlxSizes(self.modes)
            case _:
                return ReferenceSizes()


def is_busy() -> bool:
    """Tells whether others have been computing lately."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def measure(backend_name: str, threads: int, checks: Path | None) -> Machine:
    """Makes the backend and measures it. Raises as ``select_backend`` does."""
    from mlxr.metal.select import select_backend

    backend, choice = select_backend(backend_name, threads, checks)
    import mlx.core as mx
    import numpy as np

    from mlxr.metal.tensors import Tensor, TensorType, row_bytes

    def product(type: TensorType, rows: int, columns: int) -> tuple[RowOperation, int]:
        data = np.zeros((rows, row_bytes(type, columns)), np.uint8)
        weight = backend.weight(Tensor("measured", type, (rows, columns), data))
        return backend.linear(weight), weight.nbytes

    def rows_of(type: TensorType) -> int:
        return MATRIX_BYTES // row_bytes(type, COLUMNS) // 128 * 128

    kinds = (TensorType.Q8_0, TensorType.F16)
    products = [product(type, rows_of(type), COLUMNS) for type in kinds]
    x = mx.ones((1, COLUMNS))
    best = [0.0, 0.0]
    for _ in range(TURNS):
        for at, (multiply, nbytes) in enumerate(products):
            best[at] = max(best[at], nbytes / _seconds(partial(_evaluate, multiply, x)))
    small, _ = product(TensorType.Q8_0, 256, 256)
    chain = min(_seconds(lambda: mx.eval(_chained(small, mx.ones((1, 256))))) for _ in range(TURNS))
    memory = backend.memory()
    sizes = backend.sizes
    return Machine(
        backend=backend.name,
        reason=choice.reason,
        step_tokens=backend.step_tokens,
        int16=sizes.int16 if isinstance(sizes, CpuSizes) else 0,
        modes=_modes() if isinstance(sizes, MlxSizes) else [],
        code_rate=best[0],
        float_rate=best[1],
        begin_seconds=chain / CHAIN,
        memory=memory.free if memory else None,
        shares_memory=bool(memory and memory.shared),
        busy=is_busy(),
    )


def _modes() -> list[str]:
    from mlxr.metal.mlx import device

    return list(device.WAYS[device.kind()].modes)


def _evaluate(multiply: RowOperation, x: mx.array) -> None:
    import mlx.core as mx

    mx.eval(multiply(x))


def _chained(multiply: RowOperation, x: mx.array) -> mx.array:
    for _ in range(CHAIN):
        x = multiply(x)
    return x


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    name, threads, checks = arguments
    sys.stdout.buffer.write(msgspec.json.encode(measure(name, int(threads), Path(checks) if checks else None)))


if __name__ == "__main__":
    main(sys.argv[1:])
