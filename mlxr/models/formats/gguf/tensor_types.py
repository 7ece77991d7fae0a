"""GGUF's numbers of tensor types (``ggml.h``)."""

from __future__ import annotations

from mlxr.metal.tensors import TensorType

TENSOR_TYPES = {
    0: TensorType.F32,
    1: TensorType.F16,
    2: TensorType.Q4_0,
    3: TensorType.Q4_1,
    6: TensorType.Q5_0,
    7: TensorType.Q5_1,
    8: TensorType.Q8_0,
    10: TensorType.Q2_K,
    11: TensorType.Q3_K,
    12: TensorType.Q4_K,
    13: TensorType.Q5_K,
    14: TensorType.Q6_K,
    15: TensorType.Q8_K,
    16: TensorType.IQ2_XXS,
    17: TensorType.IQ2_XS,
    18: TensorType.IQ3_XXS,
    19: TensorType.IQ1_S,
    20: TensorType.IQ4_NL,
    21: TensorType.IQ3_S,
    22: TensorType.IQ2_S,
    23: TensorType.IQ4_XS,
    29: TensorType.IQ1_M,
    30: TensorType.BF16,
    34: TensorType.TQ1_0,
    35: TensorType.TQ2_0,
    39: TensorType.MXFP4,
    40: TensorType.NVFP4,
    41: TensorType.Q1_0,
    42: TensorType.Q2_0,
}

UNSUPPORTED_TYPES = {
    4: "Q4_2",
    5: "Q4_3",
    9: "Q8_1",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}
"""Types of activations, of indices, and those that ggml gave up."""
