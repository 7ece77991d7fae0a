"""Types of whole GGUF files: what people call a way to quantize, and what most of its matrices become.

Numbers and names are llama.cpp's (``enum llama_ftype`` in ``llama.h``, the options of ``llama-quantize``).
"""

from __future__ import annotations

from typing import NamedTuple

from mlxr.metal.tensors import TensorType as T


class FileType(NamedTuple):
    """``number``: of ``general.file_type``. ``base``: what a matrix becomes for which no rule says otherwise."""

    name: str
    number: int
    base: T


FILE_TYPES: tuple[FileType, ...] = (
    FileType("F32", 0, T.F32),
    FileType("F16", 1, T.F16),
    FileType("Q4_0", 2, T.Q4_0),
    FileType("Q4_1", 3, T.Q4_1),
    FileType("Q8_0", 7, T.Q8_0),
    FileType("Q5_0", 8, T.Q5_0),
    FileType("Q5_1", 9, T.Q5_1),
    FileType("Q2_K", 10, T.Q2_K),
    FileType("Q3_K_S", 11, T.Q3_K),
    FileType("Q3_K_M", 12, T.Q3_K),
    FileType("Q3_K_L", 13, T.Q3_K),
    FileType("Q4_K_S", 14, T.Q4_K),
    FileType("Q4_K_M", 15, T.Q4_K),
    FileType("Q5_K_S", 16, T.Q5_K),
    FileType("Q5_K_M", 17, T.Q5_K),
    FileType("Q6_K", 18, T.Q6_K),
    FileType("IQ2_XXS", 19, T.IQ2_XXS),
    FileType("IQ2_XS", 20, T.IQ2_XS),
    FileType("Q2_K_S", 21, T.Q2_K),
    FileType("IQ3_XS", 22, T.IQ3_S),
    FileType("IQ3_XXS", 23, T.IQ3_XXS),
    FileType("IQ1_S", 24, T.IQ1_S),
    FileType("IQ4_NL", 25, T.IQ4_NL),
    FileType("IQ3_S", 26, T.IQ3_S),
    FileType("IQ3_M", 27, T.IQ3_S),
    FileType("IQ2_S", 28, T.IQ2_XS),
    FileType("IQ2_M", 29, T.IQ2_S),
    FileType("IQ4_XS", 30, T.IQ4_XS),
    FileType("IQ1_M", 31, T.IQ1_M),
    FileType("BF16", 32, T.BF16),
    FileType("TQ1_0", 36, T.TQ1_0),
    FileType("TQ2_0", 37, T.TQ2_0),
    FileType("MXFP4", 38, T.MXFP4),
    FileType("NVFP4", 39, T.NVFP4),
    FileType("Q1_0", 40, T.Q1_0),
    FileType("Q2_0", 41, T.Q2_0),
)

ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4_MOE": "MXFP4", "FP16": "F16", "FP32": "F32"}
"""Other names of some."""

FILE_TYPE_NAMES = {type.number: type.name for type in FILE_TYPES}


def file_type(name: str) -> FileType:
    """Returns the type that people call ``name``, in any case. Raises ``ValueError`` with the list of all."""
    wanted = name.strip().upper()
    wanted = ALIASES.get(wanted, wanted)
    for type in FILE_TYPES:
        if type.name == wanted:
            return type
    raise ValueError(f"{name[:40]!r} is no type to quantize to; choose from {', '.join(t.name for t in FILE_TYPES)}")


def file_type_of(type: T) -> FileType | None:
    """Returns the file type whose matrices are all of ``type``, for a file that has no other; None where none is."""
    return next((each for each in FILE_TYPES if each.name == type), None)
