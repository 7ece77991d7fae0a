"""Folders quantized as each scheme's people publish them, from folders of floats; in NumPy, by definition."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from tests.models.formats.raw import Raw, read_raw, write_raw

Floats = NDArray[np.float32]
Parts = dict[str, Raw]

GROUP = 32
NF4 = np.array(
    [
        *(-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0),
        *(0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0),
    ],
    np.float32,
)
"""QLoRA's 4-bit normal floats (Dettmers et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """``quantize``: a matrix to its parts by the endings of their names, and what these mean. ``settings``: the
    ``quantization_config``; ``key``: of another name. ``embedding``: whether embedding and head are quantized, too."""

    quantize: Callable[[Floats], tuple[Parts, Floats]]
    settings: Mapping[str, Any]
    key: str = "quantization_config"
    embedding: bool = False


def fp8_blocks(values: Floats) -> tuple[Parts, Floats]:
    rows, columns = values.shape
    scales = np.ones((-(-rows // 128), -(-columns // 128)), np.float32)
    spread = np.ones_like(values)
    for i, j in np.ndindex(*scales.shape):
        block = np.s_[128 * i : 128 * i + 128, 128 * j : 128 * j + 128]
        scales[i, j] = np.abs(values[block]).max() / 448
        spread[block] = scales[i, j]
    codes = np.array(mx.to_fp8(mx.array(values / spread)))
    means = np.array(mx.from_fp8(mx.array(codes), mx.float32)) * spread
    return {"weight": Raw.of(codes, "F8_E4M3"), "weight_scale_inv": Raw.of(scales)}, means


def fp8_powers(values: Floats) -> tuple[Parts, Floats]:
    """As ``fp8_blocks``, each scale the power of two above, in a byte."""
    parts, _ = fp8_blocks(values)
    floats = np.frombuffer(parts["weight_scale_inv"].data, np.float32).reshape(parts["weight_scale_inv"].shape)
    exponents = np.ceil(np.log2(floats)).astype(np.int32)
    spread = np.repeat(np.repeat(2.0**exponents, 128, 0), 128, 1)[: values.shape[0], : values.shape[1]]
    codes = np.array(mx.to_fp8(mx.array((values / spread).astype(np.float32))))
    means = np.array(mx.from_fp8(mx.array(codes), mx.float32)) * spread
    scale = Raw.of((exponents + 127).astype(np.uint8), "F8_E8M0")
    return {"weight": Raw.of(codes, "F8_E4M3"), "weight_scale_inv": scale}, means.astype(np.float32)


def mx_fp8(values: Floats) -> tuple[Parts, Floats]:
    """A power of two for each 32 values of a row, in a byte."""
    largest = np.abs(values.reshape(len(values), -1, 32)).max(-1)
    exponents = np.ceil(np.log2(largest / 448)).astype(np.int32)
    spread = np.repeat(2.0**exponents, 32, 1)
    codes = np.array(mx.to_fp8(mx.array((values / spread).astype(np.float32))))
    means = np.array(mx.from_fp8(mx.array(codes), mx.float32)) * spread
    scale = Raw.of((exponents + 127).astype(np.uint8))
    return {"weight": Raw.of(codes, "F8_E4M3"), "weight_scale_inv": scale}, means.astype(np.float32)


def fp8_tensor(values: Floats) -> tuple[Parts, Floats]:
    scale = np.float32(np.abs(values).max() / 448)
    codes = np.array(mx.to_fp8(mx.array(values / scale)))
    scales = dict.fromkeys(("weight_scale", "input_scale"), Raw.of(np.array(scale)))
    parts = {"weight": Raw.of(codes, "F8_E4M3"), **scales}
    return parts, np.array(mx.from_fp8(mx.array(codes), mx.float32)) * scale


def affine(values: Floats, bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Codes, zeros and scales (half floats), and what they mean."""
    grouped = values.reshape(len(values), -1, GROUP)
    low, high = np.minimum(grouped.min(-1), 0), np.maximum(grouped.max(-1), 0)
    scales = ((high - low) / (2**bits - 1)).astype(np.float16).astype(np.float32)
    zeros = np.clip(np.rint(-low / scales), 1, 2**bits - 1).astype(np.int64)
    codes = np.clip(np.rint(grouped / scales[..., None]) + zeros[..., None], 0, 2**bits - 1).astype(np.int64)
    means = ((codes - zeros[..., None]) * scales[..., None]).astype(np.float32)
    return codes.reshape(values.shape), zeros, scales, means.reshape(values.shape)


def words(codes: NDArray[np.int64], bits: int, order: tuple[int, ...] | None = None) -> NDArray[np.int32]:
    """Codes ``[n, m]`` as words of 32 bits, whose lanes from the lowest up are the codes of ``order``."""
    lanes = 32 // bits
    apart = codes.reshape(len(codes), -1, lanes)[:, :, list(order or range(lanes))]
    return (apart << (bits * np.arange(lanes))).sum(-1).astype(np.uint32).view(np.int32)


def gptq(values: Floats) -> tuple[Parts, Floats]:
    codes, zeros, scales, means = affine(values, 4)
    parts = {
        "qweight": Raw.of(words(codes, 4).T),
        "qzeros": Raw.of(words(zeros.T - 1, 4)),
        "scales": Raw.of(scales.T.astype(np.float16)),
        "g_idx": Raw.of((np.arange(values.shape[1]) // GROUP).astype(np.int32)),
        "bias": Raw.of(np.zeros(len(values), np.float16)),
    }
    return parts, means


def awq(values: Floats) -> tuple[Parts, Floats]:
    codes, zeros, scales, means = affine(values, 4)
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    parts = {
        "qweight": Raw.of(words(codes.T, 4, order)),
        "qzeros": Raw.of(words(zeros.T, 4, order)),
        "scales": Raw.of(scales.T.astype(np.float16)),
    }
    return parts, means


def packed(values: Floats) -> tuple[Parts, Floats]:
    scales = (np.abs(values.reshape(len(values), -1, GROUP)).max(-1) / 7).astype(np.float16).astype(np.float32)
    spread = np.repeat(scales, GROUP, axis=1)
    codes = np.clip(np.rint(values / spread), -8, 7).astype(np.int64)
    parts = {
        "weight_packed": Raw.of(words(codes + 8, 4)),
        "weight_scale": Raw.of(scales.astype(np.float16)),
        "weight_shape": Raw.of(np.array(values.shape, np.int64)),
    }
    return parts, (codes * spread).astype(np.float32)


def int8(values: Floats) -> tuple[Parts, Floats]:
    scales = np.abs(values).max(1).astype(np.float32)
    codes = np.rint(values / scales[:, None] * 127).astype(np.int8)
    return {"weight": Raw.of(codes), "SCB": Raw.of(scales)}, codes * (scales / np.float32(127))[:, None]


def nf4(values: Floats) -> tuple[Parts, Floats]:
    blocks = values.reshape(-1, 64)
    absmax = np.abs(blocks).max(1).astype(np.float32)
    codes = np.abs(blocks[..., None] / absmax[:, None, None] - NF4).argmin(-1).astype(np.uint8)
    pairs = codes.reshape(-1, 2)
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": values.shape}
    parts = {
        "weight": Raw.of((pairs[:, :1] << 4 | pairs[:, 1:]).astype(np.uint8)),
        "weight.absmax": Raw.of(absmax),
        "weight.quant_map": Raw.of(NF4),
        "weight.quant_state.bitsandbytes__nf4": Raw.of(np.frombuffer(json.dumps(state).encode(), np.uint8)),
    }
    return parts, (NF4[codes] * absmax[:, None]).reshape(values.shape)


def mlx(mode: str, group: int, bits: int) -> Callable[[Floats], tuple[Parts, Floats]]:
    def quantize(values: Floats) -> tuple[Parts, Floats]:
        arrays = mx.quantize(mx.array(values).astype(mx.float16), group, bits, mode)
        wide = [a.astype(mx.float32) if a.dtype == mx.float16 else a for a in arrays]
        means = mx.dequantize(*wide, group_size=group, bits=bits, mode=mode, dtype=mx.float32)
        parts = zip(("weight", "scales", "biases"), arrays, strict=False)
        return {name: Raw.of(np.array(array)) for name, array in parts}, np.array(means)

    return quantize


COMPRESSED = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int"}}},
    "ignore": ["lm_head"],
}
SCHEMES: dict[str, Scheme] = {
    "FP8 in blocks": Scheme(fp8_blocks, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "FP8 per tensor": Scheme(fp8_tensor, {"quant_method": "fp8", "activation_scheme": "static"}),
    "GPTQ": Scheme(gptq, {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": False}),
    "AutoRound": Scheme(
        gptq, {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq", "bits": 4, "group_size": GROUP}
    ),
    "AutoRound by AWQ": Scheme(
        awq, {"quant_method": "auto-round", "packing_format": "auto_round:auto_awq", "bits": 4, "group_size": GROUP}
    ),
    "FP8 in blocks of powers of two": Scheme(fp8_powers, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "MXFP8": Scheme(mx_fp8, {"quant_method": "mxfp8", "weight_block_size": [1, 32]}),
    "AWQ": Scheme(awq, {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm"}),
    "compressed-tensors": Scheme(packed, COMPRESSED),
    "bitsandbytes NF4": Scheme(nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True}),
    "bitsandbytes INT8": Scheme(int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "MLX affine": Scheme(mlx("affine", 32, 6), {"group_size": 32, "bits": 6}, "quantization", embedding=True),
    "MLX mxfp4": Scheme(
        mlx("mxfp4", 32, 4), {"group_size": 32, "bits": 4, "mode": "mxfp4"}, "quantization", embedding=True
    ),
    "MLX mxfp8": Scheme(
        mlx("mxfp8", 32, 8), {"group_size": 32, "bits": 8, "mode": "mxfp8"}, "quantization", embedding=True
    ),
    "MLX nvfp4": Scheme(
        mlx("nvfp4", 16, 4), {"group_size": 16, "bits": 4, "mode": "nvfp4"}, "quantization", embedding=True
    ),
}


def quantized_folder(
    folder: Path,
    target: Path,
    scheme: Scheme,
    keep: Callable[[str], bool] = lambda name: False,
    own: Callable[[str], Scheme | None] = lambda name: None,
) -> Path:
    """Writes the folder's model quantized, and to ``target / "means"`` the numbers that it then has. ``keep``: matrices
    to leave as they are; ``own``: the scheme of those with settings of their own (MLX's)."""
    means = target / "means"
    for path in (target, means):
        path.mkdir()
        for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
            if (folder / name).exists():
                shutil.copy(folder / name, path)
    config = json.loads((folder / "config.json").read_text())
    settings = dict(scheme.settings)
    stored: dict[str, Raw] = {}
    plain: dict[str, Raw] = {}
    for name, raw in read_raw(folder / "model.safetensors").items():
        values = np.frombuffer(raw.data, {"F16": np.float16, "F32": np.float32}[raw.dtype]).reshape(raw.shape)
        if len(raw.shape) != 2 or keep(name) or (not scheme.embedding and "layers" not in name):
            stored[name] = plain[name] = raw
            continue
        module = name.removesuffix(".weight")
        of = own(name) or scheme
        if of is not scheme:
            settings[module] = of.settings
        parts, value = of.quantize(values.astype(np.float32))
        stored |= {f"{module}.{part}": array for part, array in parts.items()}
        plain[name] = Raw.of(value.astype(np.float32))
    (target / "config.json").write_text(json.dumps({**config, scheme.key: settings}))
    if scheme.key == "quantization":
        stored = with_experts_together(stored)
    write_raw(target / "model.safetensors", stored)
    write_raw(means / "model.safetensors", plain)
    return target


def with_experts_together(tensors: Mapping[str, Raw]) -> dict[str, Raw]:
    """As mlx-lm has them: each part of all experts of a layer above one another in ``switch_mlp``."""
    found: dict[str, Raw] = {}
    for name, raw in tensors.items():
        place, _, rest = name.partition(".experts.")
        number, _, part = rest.partition(".")
        mixtral = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
        matrix, _, ending = part.partition(".")
        together = f"{place}.switch_mlp.{mixtral.get(matrix, matrix)}.{ending}"
        if not rest:
            found[name] = raw
        elif number == "0":
            count = sum(other.startswith(f"{place}.experts.") and other.endswith(f".{part}") for other in tensors)
            all_data = [tensors[f"{place}.experts.{expert}.{part}"].data for expert in range(count)]
            found[together] = Raw(raw.dtype, (count, *raw.shape), b"".join(all_data))
    return found
