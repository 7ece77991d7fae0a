"""``llama_model_quantize`` of llama.cpp's library, called in a process of its own: it ends the process on some errors.

``python -m tests.peers.llama_quantize SOURCE TARGET FILE_TYPE [IMPORTANCES]``; importances are a ``.npz``.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

import numpy as np


def main() -> None:
    import llama_cpp

    source, target, number, *rest = sys.argv[1:]
    settings: Any = llama_cpp.llama_model_quantize_default_params()
    settings.ftype, settings.nthread, settings.allow_requantize = int(number), 2, True
    arrays: dict[str, Any] = dict(np.load(rest[0])) if rest else {}
    kept = [(name.encode(), np.ascontiguousarray(values, np.float32).reshape(-1)) for name, values in arrays.items()]
    entries = (llama_cpp.llama_model_imatrix_data * (len(kept) + 1))()
    for entry, (name, values) in zip(entries, kept, strict=False):
        entry.name, entry.size = name, values.size
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    if kept:
        settings.imatrix = ctypes.cast(entries, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    begun = time.perf_counter()
    failed = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(settings))
    print(f"{time.perf_counter() - begun:.3f}")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
