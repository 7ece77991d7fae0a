"""mlxr's engine without the runtime around it: ``python -m bench.peers.ours MODEL.gguf THREADS``."""

from __future__ import annotations

import sys

import mlx.core as mx

from bench.engine_cpu import Engine
from bench.peers.worker import serve
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.select import select_backend
from mlxr.models.loading import load_model

CHUNK = 512
SHALLOW = 512
"""Tokens a sequence of the small pool holds; deeper ones get a pool of their own."""

MOST_SEQUENCES = 32


class Ours:
    def __init__(self, path: str, threads: int) -> None:
        self._backend, _ = select_backend("auto", threads)
        self._model = load_model(path, self._backend)
        self._shallow = Engine(self._backend, self._model, MOST_SEQUENCES, SHALLOW)
        self._deep: tuple[int, Engine] | None = None

    def decode(self, sequences: int, before: int, steps: int) -> float:
        """Tokens a second of ``sequences`` together, each with ``before`` tokens of context."""
        if before + steps < SHALLOW:
            return self._shallow.decode(sequences, before, steps)
        return self._filled(before, steps).decode(sequences, before, steps)

    def prefill(self, length: int) -> float:
        """Tokens a second of one prompt."""
        return self._shallow.prefill(length)

    def reading(self) -> float:
        """Bytes of memory a second that the threads read."""
        return self._native().measure_reading()

    def products(self) -> float:
        """Products a second of codes with activations of 16 bits."""
        return self._native().measure_products()

    def _native(self) -> CpuBackend:
        if not isinstance(self._backend, CpuBackend):
            raise TypeError(f"the {self._backend.name} backend's limits are not known")
        return self._backend

    def _filled(self, before: int, steps: int) -> Engine:
        if self._deep is None or self._deep[0] != before:
            engine = Engine(self._backend, self._model, 1, before + steps + 1)
            for start in range(0, before, CHUNK):
                mx.eval(engine.step(mx.zeros(CHUNK, mx.int32), engine.batch(1, start, CHUNK)))
            self._deep = (before, engine)
        return self._deep[1]


def main() -> None:
    ours = Ours(sys.argv[1], int(sys.argv[2]))
    serve({"decode": ours.decode, "prefill": ours.prefill, "reading": ours.reading, "products": ours.products})


if __name__ == "__main__":
    main()
