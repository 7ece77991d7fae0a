"""Any stored tensor as float32: the meaning of every ``TensorType``, which kernels are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mlxr.metal import affine, fp4
from mlxr.metal.reference import k_quants, legacy_quants
from mlxr.metal.reference.legacy_quants import Blocks, Values
from mlxr.metal.tensor_rows import block_scales
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType

CHUNK_VALUES = 1 << 22
"""Values converted at once: bounds the intermediate arrays to some tens of megabytes."""


def float32(blocks: Blocks) -> Values:
    return blocks.view("<f4")


def float16(blocks: Blocks) -> Values:
    return blocks.view("<f2").astype(np.float32)


def bfloat16(blocks: Blocks) -> Values:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def float8_values() -> Values:
    """All 256 values of E4M3 without infinities (Micikevicius et al. 2022): bias 7, NaN at 0x7F and 0xFF."""
    code = np.arange(128)
    exponent, mantissa = code >> 3, code & 7
    normal = np.ldexp(1 + mantissa / 8, exponent - 7)
    positive = np.where(exponent == 0, np.ldexp(mantissa / 8, -6), normal)
    positive[127] = np.nan
    return np.concatenate([positive, -positive]).astype(np.float32)


def mxfp8(blocks: Blocks) -> Values:
    """E4M3 under a power of two (OCP Microscaling Formats 1.0)."""
    codes, exponents = fp4.mxfp8_parts(blocks)
    return float8_values()[codes] * fp4.powers(exponents)


DECODERS: dict[TensorType, Callable[[Blocks], Values]] = {
    TensorType.F32: float32,
    TensorType.F16: float16,
    TensorType.BF16: bfloat16,
    TensorType.Q4_0: legacy_quants.q4_0,
    TensorType.Q4_1: legacy_quants.q4_1,
    TensorType.Q5_0: legacy_quants.q5_0,
    TensorType.Q5_1: legacy_quants.q5_1,
    TensorType.Q8_0: legacy_quants.q8_0,
    TensorType.Q2_K: k_quants.q2_k,
    TensorType.Q3_K: k_quants.q3_k,
    TensorType.Q4_K: k_quants.q4_k,
    TensorType.Q5_K: k_quants.q5_k,
    TensorType.Q6_K: k_quants.q6_k,
    TensorType.Q8_K: k_quants.q8_k,
    TensorType.Q1_0: legacy_quants.q1_0,
    TensorType.Q2_0: legacy_quants.q2_0,
    TensorType.MXFP8: mxfp8,
    TensorType.IQ4_NL: legacy_quants.iq4_nl,
    TensorType.IQ4_XS: k_quants.iq4_xs,
}


def dequantize(tensor: Tensor) -> Values:
    """Returns the tensor's values, float32 of its logical shape."""
    if tensor.type is TensorType.FP8_E4M3:
        return _float8(tensor)
    if tensor.type is TensorType.NF4:
        return _normal_float4(tensor)
    if tensor.type is TensorType.AFFINE:
        return affine.dequantized(tensor)
    if tensor.type is TensorType.NVFP4 and "scale" in tensor.extras:
        scale = tensor.extras["scale"].astype(np.float32)
        return dequantize(replace(tensor, extras={})) * (scale if scale.ndim == 0 else scale[:, None])
    decode = DECODERS.get(tensor.type) or _by_package(tensor.type)
    values, size = BLOCKS[tensor.type]
    blocks = np.ascontiguousarray(tensor.data).reshape(-1, size)
    out = np.empty((len(blocks), values), np.float32)
    step = max(1, CHUNK_VALUES // values)
    with np.errstate(invalid="ignore", over="ignore"):  # a damaged scale may be infinite; the logits will show it
        for start in range(0, len(blocks), step):
            out[start : start + step] = decode(blocks[start : start + step])
    return out.reshape(tensor.shape)


def _by_package(type: TensorType) -> Callable[[Blocks], Values]:
    """The ``gguf`` package's own reading, for types that are rare."""
    import gguf

    stored = gguf.GGMLQuantizationType[type.value]

    def decode(blocks: Blocks) -> Values:
        return gguf.quants.dequantize(blocks, stored)

    return decode


def _float8(tensor: Tensor) -> Values:
    """One scale for the tensor, or one for each block of rows and columns (DeepSeek's ``weight_scale_inv``)."""
    values = float8_values()[tensor.data].reshape(tensor.shape)
    if "scale" not in tensor.extras:
        return values
    scale = tensor.extras["scale"].astype(np.float32)
    if scale.ndim == 0:
        return values * scale
    rows, columns = (int(n) for n in tensor.extras["block"])
    spread = np.repeat(np.repeat(scale, rows, axis=0), columns, axis=1)
    return values * spread[: tensor.shape[0], : tensor.shape[1]]


def _normal_float4(tensor: Tensor) -> Values:
    """QLoRA's 4-bit normal floats (Dettmers et al. 2023), the scales themselves quantized or not."""
    packed = tensor.data.reshape(-1)
    codes = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)
    values = tensor.extras["map"].astype(np.float32)[codes]
    scale = np.repeat(block_scales(tensor.extras), int(tensor.extras["block"]))[: len(values)]
    return (values * scale).reshape(tensor.shape)
