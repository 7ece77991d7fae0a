"""mlxr's matrix products: ``python -m bench.peers.our_matmul THREADS``."""

from __future__ import annotations

import sys

import mlx.core as mx
import numpy as np

from bench.peers.matrices import SIZE, file_matrix
from bench.peers.worker import median_microseconds, serve
from mlxr.metal.operations import RowOperation
from mlxr.metal.select import select_backend
from mlxr.metal.tensors import Tensor, TensorType


class Products:
    def __init__(self, threads: int) -> None:
        self._backend, _ = select_backend("auto", threads)
        self._product: tuple[str, RowOperation] | None = None

    def product(self, type: str, rows: int) -> float:
        """Median microseconds of ``rows`` vectors times one matrix."""
        if self._product is None or self._product[0] != type:
            kind = TensorType(type)
            tensor = Tensor(type, kind, (SIZE, SIZE), file_matrix(kind))
            self._product = (type, self._backend.linear(self._backend.weight(tensor)))
        multiply = self._product[1]
        x = mx.array(np.random.default_rng(1).standard_normal((rows, SIZE)).astype(np.float32))
        mx.eval(x)
        return median_microseconds(lambda: mx.eval(multiply(x)))


def main() -> None:
    serve({"product": Products(int(sys.argv[1])).product})


if __name__ == "__main__":
    main()
