"""What MLX's kernels are given of each storage type, and how near that is to the file's own numbers."""

from __future__ import annotations

from mlxr.metal.codebooks import CODEBOOK_TYPES
from mlxr.metal.tensors import TensorType

HELD_AS: dict[TensorType, str] = {
    TensorType.Q4_0: "4-bit codes, exact",
    TensorType.Q4_1: "4-bit codes, exact",
    TensorType.Q5_0: "5-bit codes, exact",
    TensorType.Q5_1: "5-bit codes, exact",
    TensorType.Q8_0: "8-bit codes, exact",
    TensorType.Q4_K: "4-bit codes, scales rounded to 16 bits",
    TensorType.Q5_K: "5-bit codes, scales rounded to 16 bits",
    TensorType.Q8_K: "8-bit codes, scales rounded to 16 bits",
    TensorType.IQ4_NL: "8-bit codes, exact",
    TensorType.IQ4_XS: "8-bit codes, scales rounded to 16 bits",
    TensorType.Q1_0: "1-bit codes, exact",
    TensorType.Q2_0: "2-bit codes, exact",
    TensorType.AFFINE: "codes of their own bits, scales rounded to 16 bits",
    TensorType.MXFP4: "mxfp4 codes, exact",
    TensorType.MXFP8: "mxfp8 codes, exact",
    TensorType.NVFP4: "nvfp4 codes, exact",
    **dict.fromkeys(CODEBOOK_TYPES, "8-bit codes, rounded"),
    TensorType.Q2_K: "8-bit codes, rounded",
    TensorType.Q3_K: "8-bit codes, rounded",
    TensorType.Q6_K: "8-bit codes, rounded",
    TensorType.F16: "16-bit floats, exact",
    TensorType.BF16: "16-bit floats",
    TensorType.F32: "16-bit floats, rounded",
    TensorType.FP8_E4M3: "8-bit codes, rounded",
    TensorType.NF4: "8-bit codes, rounded",
}
"""In words, for people."""
