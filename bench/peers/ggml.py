"""llama.cpp's matrix products, by ctypes on the libraries of llama-cpp-python: ``python -m bench.peers.ggml THREADS``.

Weights go into the repacked buffer type where ggml has one for them, as llama.cpp loads a model. Signatures are
those of ``ggml.h``, ``ggml-backend.h`` and ``ggml-cpu.h``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from bench.peers.matrices import SIZE, file_matrix
from bench.peers.worker import median_microseconds, serve
from mlxr.metal.tensors import TensorType

F32 = 0
"""ggml's number of float32."""

CONTEXT_BYTES = 1 << 20
"""For tensors' headers; their data lie in backend buffers."""


class InitParameters(ctypes.Structure):
    """``struct ggml_init_params``."""

    _fields_ = [("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool)]


SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ggml_init": (c_void_p, [InitParameters]),
    "ggml_free": (None, [c_void_p]),
    "ggml_new_tensor_2d": (c_void_p, [c_void_p, c_int, c_int64, c_int64]),
    "ggml_mul_mat": (c_void_p, [c_void_p, c_void_p, c_void_p]),
    "ggml_new_graph": (c_void_p, [c_void_p]),
    "ggml_build_forward_expand": (None, [c_void_p, c_void_p]),
    "ggml_backend_alloc_ctx_tensors_from_buft": (c_void_p, [c_void_p, c_void_p]),
    "ggml_backend_buffer_free": (None, [c_void_p]),
    "ggml_backend_tensor_set": (None, [c_void_p, c_void_p, c_size_t, c_size_t]),
    "ggml_backend_reg_dev_get": (c_void_p, [c_void_p, c_size_t]),
    "ggml_backend_reg_get_proc_address": (c_void_p, [c_void_p, c_char_p]),
    "ggml_backend_dev_supports_op": (c_bool, [c_void_p, c_void_p]),
    "ggml_backend_dev_buffer_type": (c_void_p, [c_void_p]),
    "ggml_backend_graph_compute": (c_int, [c_void_p, c_void_p]),
}

CPU_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ggml_backend_cpu_init": (c_void_p, []),
    "ggml_backend_cpu_set_n_threads": (None, [c_void_p, c_int]),
    "ggml_backend_cpu_reg": (c_void_p, []),
}


class Products:
    def __init__(self, threads: int) -> None:
        folder = _folder()
        self._ggml = _library(folder / "libggml-base.so", SIGNATURES)
        cpu = _library(folder / "libggml-cpu.so", CPU_SIGNATURES)
        self._backend = cpu.ggml_backend_cpu_init()
        cpu.ggml_backend_cpu_set_n_threads(self._backend, threads)
        self._registry = cpu.ggml_backend_cpu_reg()
        self._device = self._ggml.ggml_backend_reg_dev_get(self._registry, 0)
        self._plain = self._ggml.ggml_backend_dev_buffer_type(self._device)
        self._data: tuple[str, NDArray[np.uint8]] | None = None

    def product(self, type: str, rows: int) -> float:
        """Median microseconds of ``rows`` vectors times one matrix."""
        if self._data is None or self._data[0] != type:
            self._data = (type, file_matrix(TensorType(type)))
        data = self._data[1]
        for buffer_type in (*self._extra_buffer_types(), self._plain):
            found = self._time(type, rows, data, buffer_type)
            if found is not None:
                return found
        raise RuntimeError(f"ggml can't multiply {type}")

    def _time(self, type: str, rows: int, data: NDArray[np.uint8], buffer_type: int) -> float | None:
        """None where ``buffer_type`` is of no use for this product."""
        ggml = self._ggml
        number = GGMLQuantizationType[type].value
        weights, others = (ggml.ggml_init(InitParameters(CONTEXT_BYTES, None, True)) for _ in range(2))
        buffers: list[int] = []
        try:
            weight = ggml.ggml_new_tensor_2d(weights, number, SIZE, SIZE)
            buffers.append(ggml.ggml_backend_alloc_ctx_tensors_from_buft(weights, buffer_type))
            x = ggml.ggml_new_tensor_2d(others, F32, SIZE, rows)
            product = ggml.ggml_mul_mat(others, weight, x)
            if not ggml.ggml_backend_dev_supports_op(self._device, product):
                return None
            buffers.append(ggml.ggml_backend_alloc_ctx_tensors_from_buft(others, self._plain))
            values = np.random.default_rng(1).standard_normal((rows, SIZE)).astype(np.float32)
            ggml.ggml_backend_tensor_set(weight, data.ctypes.data, 0, data.nbytes)
            ggml.ggml_backend_tensor_set(x, values.ctypes.data, 0, values.nbytes)
            graph = ggml.ggml_new_graph(others)
            ggml.ggml_build_forward_expand(graph, product)
            return median_microseconds(lambda: ggml.ggml_backend_graph_compute(self._backend, graph))
        finally:
            for buffer in buffers:
                ggml.ggml_backend_buffer_free(buffer)
            for context in (weights, others):
                ggml.ggml_free(context)

    def _extra_buffer_types(self) -> Iterator[int]:
        """Those that keep weights in a form of their own, best first."""
        address = self._ggml.ggml_backend_reg_get_proc_address(self._registry, b"ggml_backend_dev_get_extra_bufts")
        if not address:
            return
        found = ctypes.CFUNCTYPE(POINTER(c_void_p), c_void_p)(address)(self._device)
        index = 0
        while found and found[index]:
            yield found[index]
            index += 1


def _folder() -> Path:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise RuntimeError("llama-cpp-python is not installed")
    return Path(spec.origin).parent / "lib"


def _library(path: Path, signatures: dict[str, tuple[Any, list[Any]]]) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main() -> None:
    serve({"product": Products(int(sys.argv[1])).product})


if __name__ == "__main__":
    main()
