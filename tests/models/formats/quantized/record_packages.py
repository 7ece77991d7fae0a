"""Writes ``tests/data/quantized.safetensors``: small matrices as the packages that quantize models store them, and what
these packages dequantize them to.

    python tests/models/formats/quantized/record_packages.py

Run it where torch, transformers, safetensors, compressed-tensors and bitsandbytes are installed, with two files of
packages that need a GPU otherwise on the path: qlinear_cuda.py of auto-gptq 0.7.1 (``auto_gptq/nn_modules/qlinear``)
and packing_utils.py of AutoAWQ 0.2.9 (``awq/utils``). mlxr need not be installed.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import bitsandbytes.functional as bnb
import packing_utils as awq
import torch
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from qlinear_cuda import QuantLinear
from safetensors.torch import save_file

TARGET = Path(__file__).parents[3] / "data" / "quantized.safetensors"
ROWS, COLUMNS = 32, 64

Case = dict[str, torch.Tensor]


def weights(seed: int, rows: int = ROWS) -> torch.Tensor:
    return torch.randn(rows, COLUMNS, generator=torch.Generator().manual_seed(seed)) * 0.05


def affine(values: torch.Tensor, bits: int, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales and zeros ``[rows, groups]`` that cover each group's values."""
    grouped = values.reshape(len(values), -1, group)
    low, high = grouped.amin(-1).clamp(max=0), grouped.amax(-1).clamp(min=0)
    scales = ((high - low) / (2**bits - 1)).half().float()
    return scales, torch.round(-low / scales).clamp(1, 2**bits - 1)


def gptq(bits: int, group: int, shuffled: bool = False) -> Case:
    values = weights(bits)
    order = torch.arange(COLUMNS) // group
    if shuffled:
        order = order[torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(5))]
    scales, zeros = affine(values, bits, group)
    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False, dtype=torch.float32)
    linear.weight.data = values
    quantized = QuantLinear(bits, group, COLUMNS, ROWS, bias=False, weight_dtype=torch.float32)
    quantized.pack(linear, scales.clone(), zeros.clone(), order.to(torch.int32))
    quantized.post_init()
    with torch.no_grad():
        expected = quantized(torch.eye(COLUMNS)).T
    parts = {name: getattr(quantized, name) for name in ("qweight", "qzeros", "scales", "g_idx")}
    return {**parts, "scales": parts["scales"].half(), "expected": expected.float()}


def awq_gemm(group: int) -> Case:
    values = weights(11)
    scales, zeros = affine(values, 4, group)
    codes = torch.round(values / scales.repeat_interleave(group, 1) + zeros.repeat_interleave(group, 1)).clamp(0, 15)

    def packed(numbers: torch.Tensor) -> torch.Tensor:
        lanes = numbers.to(torch.int64).reshape(len(numbers), -1, 8)[:, :, awq.AWQ_ORDER]
        words = (lanes << (4 * torch.arange(8))).sum(-1)
        return (words - (words >= 2**31) * 2**32).to(torch.int32)

    qweight, qzeros, halves = packed(codes.T), packed(zeros.T), scales.T.half().contiguous()
    expected = awq.dequantize_gemm(qweight, qzeros, halves.float(), 4, group).T
    return {"qweight": qweight, "qzeros": qzeros, "scales": halves, "expected": expected}


def bits_and_bytes(kind: str, double: bool) -> Case:
    values = weights(21)
    codes, state = bnb.quantize_4bit(values, blocksize=64, compress_statistics=double, quant_type=kind)
    parts = {f"weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    return {"weight": codes, **parts, "expected": bnb.dequantize_4bit(codes, state).float()}


def bits_and_bytes_8() -> Case:
    codes, scales, _ = bnb.int8_vectorwise_quant(weights(22).half())
    expected = bnb.int8_vectorwise_dequant(codes, scales)
    return {"weight": codes, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8), "expected": expected}


def compressed(form: str, global_scale: bool = False, **settings: object) -> Case:
    values, arguments = weights(31), QuantizationArgs(**settings)
    scheme = QuantizationScheme(targets=["Linear"], weights=arguments, format=form)
    group = arguments.group_size if arguments.group_size and arguments.group_size > 0 else COLUMNS
    state: Case = {"weight": values}
    most = {("int", 4): 7, ("int", 8): 127, ("float", 8): 448, ("float", 4): 6}.get(
        (arguments.type, arguments.num_bits), 2 ** (arguments.num_bits - 1) - 1
    )
    if arguments.strategy == "tensor":
        state["weight_scale"] = (values.abs().amax() / most).reshape(1)
    elif arguments.strategy == "block":
        height, width = arguments.block_structure
        blocks = values.reshape(ROWS // height, height, COLUMNS // width, width)
        state["weight_scale"] = blocks.abs().amax((1, 3)) / most
    elif arguments.symmetric:
        state["weight_scale"] = values.reshape(ROWS, -1, group).abs().amax(-1) / most
    else:
        scales, zeros = affine(values, arguments.num_bits, group)
        state["weight_scale"] = scales
        state["weight_zero_point"] = (zeros - 2 ** (arguments.num_bits - 1)).to(torch.int8)
    if global_scale:
        state["weight_global_scale"] = torch.tensor([448 * 6 / values.abs().max()])
        state["weight_scale"] = (state["weight_scale"] * state["weight_global_scale"]).to(torch.float8_e4m3fn).float()
    if form.startswith("mx"):
        state["weight_scale"] = 2.0 ** torch.ceil(torch.log2(state["weight_scale"]))
    compressor = BaseCompressor.get_value_from_registry(form)
    stored = compressor.compress(state, scheme)
    expected = compressor.decompress(dict(stored), scheme)["weight"].float()
    return {**stored, "expected": expected}


def cases() -> dict[str, Case]:
    integer, floating = {"type": "int"}, {"type": "float"}
    found = {f"gptq {bits}": gptq(bits, 32) for bits in (2, 3, 4, 8)}
    found["gptq 4 shuffled"] = gptq(4, 32, shuffled=True)
    found["awq 32"], found["awq 64"] = awq_gemm(32), awq_gemm(64)
    for kind in ("nf4", "fp4"):
        found[f"bitsandbytes {kind}"] = bits_and_bytes(kind, double=False)
        found[f"bitsandbytes {kind} double"] = bits_and_bytes(kind, double=True)
    found["bitsandbytes int8"] = bits_and_bytes_8()
    for bits in (2, 3, 4, 5, 6, 8):
        grouped = {"num_bits": bits, "strategy": "group", "group_size": 32}
        found[f"pack-quantized {bits} group"] = compressed("pack-quantized", **integer, **grouped)
    grouped = {"num_bits": 4, "strategy": "group", "group_size": 64}
    found["pack-quantized 4 asymmetric"] = compressed("pack-quantized", symmetric=False, **integer, **grouped)
    found["pack-quantized 8 channel"] = compressed("pack-quantized", num_bits=8, strategy="channel", **integer)
    found["int-quantized channel"] = compressed("int-quantized", num_bits=8, strategy="channel", **integer)
    found["int-quantized tensor"] = compressed("int-quantized", num_bits=8, strategy="tensor", **integer)
    found["float-quantized tensor"] = compressed("float-quantized", num_bits=8, strategy="tensor", **floating)
    found["float-quantized channel"] = compressed("float-quantized", num_bits=8, strategy="channel", **floating)
    found["float-quantized block"] = compressed(
        "float-quantized", num_bits=8, strategy="block", block_structure=[16, 64], **floating
    )
    found["nvfp4-pack-quantized"] = compressed(
        "nvfp4-pack-quantized", True, num_bits=4, strategy="tensor_group", group_size=16, **floating
    )
    found["mxfp4-pack-quantized"] = compressed(
        "mxfp4-pack-quantized", num_bits=4, strategy="group", group_size=32, **floating
    )
    found["mxfp8-quantized"] = compressed("mxfp8-quantized", num_bits=8, strategy="group", group_size=32, **floating)
    return found


def main() -> None:
    tensors = {
        f"{case}/{name}": tensor.detach().clone().contiguous()
        for case, parts in cases().items()
        for name, tensor in parts.items()
    }
    packages = ("torch", "bitsandbytes", "compressed_tensors")
    made = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    save_file(tensors, TARGET, {"made by": f"{made}, auto-gptq 0.7.1, AutoAWQ 0.2.9"})


if __name__ == "__main__":
    main()
