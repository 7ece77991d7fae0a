"""NVIDIA's runtime compiler, as MLX has loaded it: CUDA source to machine code."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

LIBRARIES = ("libnvrtc.so.13", "libnvrtc.so.12")
HEADERS = ("nvidia/cu13/include", "nvidia/cuda_runtime/include")
"""Of CUDA, beside the package of MLX, where pip put them."""

OPTIONS = ("--std=c++17", "--device-as-default-execution-space")


class CompileError(RuntimeError):
    """The compiler's own words."""


def compiled(source: str, architecture: str) -> bytes:
    """Returns the code of ``source``'s kernels, whose names are C's, for an ``architecture`` like ``sm_90a``. Raises
    ``CompileError``, and ``OSError`` where there is no compiler. The interpreter's lock is let go of meanwhile."""
    library, program = _library(), ctypes.c_void_p()
    _must(library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"mlxr.cu", 0, None, None))
    try:
        options = [*OPTIONS, f"--gpu-architecture={architecture}", f"--include-path={_headers()}"]
        words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if library.nvrtcCompileProgram(program, len(options), words):
            raise CompileError(_taken(program, "ProgramLog").decode(errors="replace"))
        return _taken(program, "CUBIN")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def version() -> str:
    """Returns the compiler's version. Raises ``OSError`` where there is none."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _must(_library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


def _taken(program: ctypes.c_void_p, what: str) -> bytes:
    library, size = _library(), ctypes.c_size_t()
    _must(getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    content = ctypes.create_string_buffer(size.value)
    _must(getattr(library, f"nvrtcGet{what}")(program, content))
    return content.raw


def _must(result: int) -> None:
    if result:
        raise CompileError(f"NVRTC answers {result}")


@cache
def _library() -> ctypes.CDLL:
    """MLX's CUDA library has it loaded already, wherever it lies; another version on the system's path may make code
    that MLX's driver interface does not take."""
    return _first_of(LIBRARIES)


def _first_of(names: Sequence[str]) -> ctypes.CDLL:
    """The first of the libraries that the process has loaded; else the first that there is. Raises ``OSError``."""
    loaded = ctypes.DEFAULT_MODE | os.RTLD_NOLOAD
    for name, mode in [*((name, loaded) for name in names), *((name, ctypes.DEFAULT_MODE) for name in names[:-1])]:
        try:
            return ctypes.CDLL(name, mode)
        except OSError:
            continue
    return ctypes.CDLL(names[-1])


@cache
def _headers() -> Path:
    """Where MLX looks for CUDA's headers, too."""
    import mlx.core as mx

    beside = Path(mx.__file__).parents[1]
    places = [beside / name for name in HEADERS]
    places += [Path(os.environ[name]) / "include" for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    places.append(Path("/usr/local/cuda/include"))
    return next((place for place in places if (place / "cuda_fp16.h").exists()), places[-1])
