"""What backends compute with on this machine, and how fast: measured once, in a process of its own.

``python -m mlxr.metal.machine BACKEND THREADS CHECKS`` prints a ``Machine`` as JSON, for a caller that must not load
MLX itself. It takes about a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.mlx.sizes import MlxSizes
from mlxr.metal.reference.sizes import ReferenceSizes
from mlxr.metal.sizes import BackendSizes
from mlxr.metal.tensors import TensorType

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.operations import RowOperation

K = TypeVar("K")

MEASURED = tuple(map(TensorType, ("F32", "F16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")))
MATRIX_BYTES = 16 << 20
"""In its file, of a matrix of each type: by turns they are more than caches hold."""

LIKE = {
    TensorType.BF16: TensorType.F16,
    TensorType.Q4_1: TensorType.Q4_0,
    TensorType.Q5_0: TensorType.Q5_K,
    TensorType.Q5_1: TensorType.Q5_K,
    TensorType.Q8_K: TensorType.Q8_0,
    TensorType.AFFINE: TensorType.Q4_0,
    TensorType.Q1_0: TensorType.Q4_0,
    TensorType.Q2_0: TensorType.Q4_0,
    TensorType.FP8_E4M3: TensorType.F16,
    TensorType.MXFP8: TensorType.F16,
    TensorType.NF4: TensorType.F16,
    TensorType.MXFP4: TensorType.IQ4_XS,
    TensorType.NVFP4: TensorType.IQ4_XS,
    TensorType.IQ4_NL: TensorType.IQ4_XS,
}
"""By the kernels of which type others are about as fast; of those that are in neither table, by those of Q6_K."""

COLUMNS = 4096
ARITHMETIC_TYPES = (TensorType.F16, TensorType.Q4_K)
ARITHMETIC_ROWS, ARITHMETIC_TURNS = (8, 64, 512), 3
"""Of products with the most of these rows arithmetic is what bounds."""

TURNS = 24
MOST_SECONDS = 0.4
"""What each kind of product may take beyond one turn: plain operations are a hundred times as slow as kernels."""
CHAIN = 32
"""Small products one after another, which cost what it takes to begin each."""

BEGUN = {"cpu": 0.15, "mlx": 6.0, "reference": 10.0}
"""How many times that a half of a layer costs: the native backend runs all layers as one operation of MLX's, others
have several for each."""


class Machine(Struct, frozen=True):
    """What was found.

    backend: its name.
    reason: why it was chosen, for people.
    step_tokens: as in ``Backend``.
    int16, modes: what ``BackendSizes`` of the backend need to know.
    rates: bytes a second that weights are read with as one row is multiplied, for some storage types.
    begin_seconds: what each half of a layer costs besides.
    arithmetic: multiplications and additions a second of the fastest product of many rows; 0 where it was not measured.
    memory: bytes that the device has left, None where it computes in the system's memory.
    shares_memory: whether the device's memory is the system's own.
    busy: whether others computed meanwhile, so that rates may be too low.
    """

    backend: str
    reason: str
    step_tokens: int
    int16: int = 0
    modes: list[str] = []
    rates: dict[str, float] = {}
    begin_seconds: float = 0.0
    arithmetic: float = 0.0
    memory: int | None = None
    shares_memory: bool = False
    busy: bool = False

    @property
    def bandwidth(self) -> float:
        """Bytes a second of the fastest kernel, which memory bounds; 0 where nothing was measured."""
        return max(self.rates.values(), default=0.0)

    def rate(self, type: TensorType) -> float:
        """Returns the bytes a second that weights of ``type`` are read with."""
        return self.rates.get(type) or self.rates[LIKE.get(type, TensorType.Q6_K)]

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

    from mlxr.metal.tensors import Tensor, row_bytes

    def product(type: TensorType, rows: int, columns: int) -> tuple[RowOperation, int]:
        data = np.zeros((rows, row_bytes(type, columns)), np.uint8)
        weight = backend.weight(Tensor("measured", type, (rows, columns), data))
        return backend.linear(weight), weight.nbytes

    products = {type: product(type, MATRIX_BYTES // row_bytes(type, COLUMNS), COLUMNS) for type in MEASURED}
    works = {type: partial(_evaluate, multiply, mx.ones((1, COLUMNS))) for type, (multiply, _) in products.items()}
    times = _times(works, TURNS)
    small, _ = product(TensorType.Q8_0, 256, 256)
    chain = min(_seconds(lambda: mx.eval(_chained(small, mx.ones((1, 256))))) for _ in range(TURNS))
    many = [product(type, COLUMNS, COLUMNS)[0] for type in ARITHMETIC_TYPES]
    memory = backend.memory()
    sizes = backend.sizes
    return Machine(
        backend=backend.name,
        reason=choice.reason,
        step_tokens=backend.step_tokens,
        int16=sizes.int16 if isinstance(sizes, CpuSizes) else 0,
        modes=_modes() if isinstance(sizes, MlxSizes) else [],
        # Not the best of all: moments in which nobody else reads memory are shorter than a step of a large model.
        rates={type.value: products[type][1] / sorted(times[type])[len(times[type]) // 4] for type in MEASURED},
        begin_seconds=chain / CHAIN * BEGUN.get(backend.name, 1.0),
        arithmetic=_arithmetic(many),
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


def _times(works: Mapping[K, Callable[[], object]], turns: int) -> dict[K, list[float]]:
    """Does all by turns, each once at least, and returns what each time took, in seconds."""
    times: dict[K, list[float]] = {key: [] for key in works}
    until = time.perf_counter() + MOST_SECONDS
    for turn in range(turns):
        for key, work in works.items():
            if turn and time.perf_counter() > until:
                return times
            times[key].append(_seconds(work))
    return times


def _arithmetic(products: Sequence[RowOperation]) -> float:
    """Returns multiplications and additions a second of the fastest, with as many rows as there is time for."""
    import mlx.core as mx

    fastest, seconds, before = 0.0, 0.0, 1
    for rows in ARITHMETIC_ROWS:
        if seconds * rows / before * len(products) > MOST_SECONDS:
            break
        x = mx.ones((rows, COLUMNS))
        works = {number: partial(_evaluate, multiply, x) for number, multiply in enumerate(products)}
        seconds, before = min(map(min, _times(works, ARITHMETIC_TURNS).values())), rows
        fastest = max(fastest, 2 * rows * COLUMNS * COLUMNS / seconds)
    return fastest


def _chained(multiply: RowOperation, x: mx.array) -> mx.array:
    for _ in range(CHAIN):
        x = multiply(x)
    return x


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    name, threads, checks = arguments
    sys.stdout.buffer.write(msgspec.json.encode(measure(name, int(threads), Path(checks) if checks else None)))


if __name__ == "__main__":
    main(sys.argv[1:])
