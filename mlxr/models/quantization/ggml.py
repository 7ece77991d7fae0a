"""ggml's own encoders, from the shared library that the package ``libggml-python`` brings.

They are called by ``ctypes``, which lets other threads run meanwhile. A call encodes whole rows, each by itself, so
rows may be shared out among threads as one likes.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, TensorType, row_bytes
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES
from mlxr.runtime.errors import MlxrError

NUMBERS = {type: number for number, type in TENSOR_TYPES.items()}
PACKAGE, LIBRARY = "libggml", "libggml-base"
_ENDINGS = (".so", ".dylib")

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class NoEncoder(MlxrError):  # noqa: N818  (reads as what happened)
    """ggml's library is not there, or can't be loaded."""


class _Traits(ctypes.Structure):
    """``struct ggml_type_traits`` (``ggml.h``)."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        ("from_float", ctypes.c_void_p),
    )


class Ggml:
    """The loaded library. Raises ``NoEncoder`` where it can't be had, saying how to get it."""

    def __init__(self) -> None:
        path = next(_candidates(), None)
        way_out = "`pip install --force-reinstall libggml-python` brings it"
        if path is None:
            raise NoEncoder(f"quantizing takes ggml's library, which is not installed; {way_out}")
        try:
            self._library = library = ctypes.CDLL(str(path))
        except OSError as error:
            raise NoEncoder(f"ggml's library can't be loaded ({error}); {way_out}") from error
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        library.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, integer, integer, integer, pointer]
        library.ggml_quantize_chunk.restype = ctypes.c_size_t
        library.ggml_quantize_init.argtypes = [ctypes.c_int]
        library.ggml_quantize_init.restype = None
        library.ggml_validate_row_data.argtypes = [ctypes.c_int, pointer, ctypes.c_size_t]
        library.ggml_validate_row_data.restype = ctypes.c_bool
        library.ggml_get_type_traits.argtypes = [ctypes.c_int]
        library.ggml_get_type_traits.restype = ctypes.POINTER(_Traits)
        for type, number in NUMBERS.items():
            traits = library.ggml_get_type_traits(number).contents
            if (traits.blck_size, traits.type_size) != BLOCKS[type]:
                raise NoEncoder(f"ggml's library at {path} has other blocks for {type} than mlxr; {way_out}")

    def prepare(self, type: TensorType) -> None:
        """Makes the tables that encoding to ``type`` looks up; only the first call takes time."""
        self._library.ggml_quantize_init(NUMBERS[type])

    def encode(self, type: TensorType, values: Floats, importance: Floats | None = None) -> Bytes:
        """Returns rows of ``values`` float32 ``[rows, columns]`` as blocks uint8 ``[rows, bytes a row]``.

        ``importance``: float32 ``[columns]``, how much an error in each column costs. Raises ``ValueError`` where the
        values or the outcome hold what is no finite number.
        """
        values = np.ascontiguousarray(values, np.float32)
        rows, columns = values.shape
        out = np.empty((rows, row_bytes(type, columns)), np.uint8)
        if importance is not None:
            importance = np.ascontiguousarray(importance, np.float32)
        weights = None if importance is None else importance.ctypes.data
        number = NUMBERS[type]
        self._library.ggml_quantize_chunk(number, values.ctypes.data, out.ctypes.data, 0, rows, columns, weights)
        # Some types hide what is no number in their blocks, and others overflow.
        sound = np.isfinite(values).all() and self._library.ggml_validate_row_data(number, out.ctypes.data, out.nbytes)
        if not sound:
            raise ValueError(f"can't be stored as {type}: a value is no finite number, or too large")
        return out

    def decode(self, type: TensorType, data: Bytes, columns: int) -> Floats:
        """Returns the values float32 ``[rows, columns]`` of blocks uint8 ``[rows, bytes a row]``."""
        data = np.ascontiguousarray(data)
        if type is TensorType.F32:
            return data.view(np.float32).reshape(-1, columns)
        out = np.empty((len(data), columns), np.float32)
        traits = self._library.ggml_get_type_traits(NUMBERS[type]).contents
        traits.to_float(data.ctypes.data, out.ctypes.data, out.size)
        return out


def _candidates() -> Iterator[Path]:
    """Where the package keeps its libraries: ``lib`` or ``lib64``, by the system that built it."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for ending in _ENDINGS:
            yield from sorted(Path(place).glob(f"lib*/{LIBRARY}{ending}"))
