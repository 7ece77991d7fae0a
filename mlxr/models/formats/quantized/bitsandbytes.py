"""bitsandbytes folders: NF4 or FP4 codes in blocks, or INT8 with a scale for each row.

Of 4 bits: ``X.weight`` uint8, two values a byte, the first in the high nibble, over the whole flattened matrix;
``X.weight.absmax``, a scale for each block; ``X.weight.quant_map`` float32 ``[16]``; and
``X.weight.quant_state.bitsandbytes__nf4`` (or ``__fp4``), JSON with the shape, the block size, and how scales are
quantized themselves (double quantization), for which there are ``nested_absmax`` and ``nested_quant_map``.
Of 8 bits: ``X.weight`` int8 ``[out, in]`` and ``X.SCB`` float32 ``[out]``: ``value = code * SCB / 127``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.sizes import Scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import AGAIN, ModelFileError
from mlxr.models.formats.quantized.integers import signed_rows
from mlxr.models.formats.quantized.parts import (
    AssembledTensor,
    Floats,
    Parts,
    floats,
    integers,
    misshapen,
    require_stored,
)
from mlxr.models.jsonfile import decode_json
from mlxr.models.modelfile import StoredTensor

METHODS = ("bitsandbytes",)
STATES = ("weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4")
MOST_STATE_BYTES = 4096
LARGEST_CODE = 127


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices, their scales and maps together."""
    for suffix in STATES:
        for module in parts.modules(suffix):
            parts.put(_four_bits(parts, module, suffix))
    for module in parts.modules("SCB"):
        parts.put(_eight_bits(parts, module))
    for module in parts.modules("weight_format"):
        del parts.tensors[f"{module}.weight_format"]


@dataclass(frozen=True, slots=True)
class _State:
    """What a matrix's JSON says. ``nested_block``: blocks that share a scale of scales; 0 where scales are floats."""

    shape: tuple[int, int]
    block: int
    nested_block: int
    offset: float


def _four_bits(parts: Parts, module: str, suffix: str) -> AssembledTensor:
    name = f"{module}.weight"
    state = _state(parts.take(module, suffix))
    codes, absmax, values = (parts.take(module, part) for part in ("weight", "weight.absmax", "weight.quant_map"))
    stored = [codes, absmax, values]
    nested: list[StoredTensor] = []
    if state.nested_block:
        nested = [parts.take(module, f"weight.nested_{part}") for part in ("absmax", "quant_map")]
    require_stored(name, codes, "U8")
    require_stored(name, absmax, "U8" if nested else "F32")
    rows, columns = state.shape
    blocks = -(-rows * columns // state.block)
    outer = -(-blocks // state.nested_block) if nested else 0
    if (
        codes.nbytes != -(-rows * columns // 2)
        or columns % 2
        or absmax.shape != (blocks,)
        or values.shape != (16,)
        or [part.shape for part in nested] not in ([], [(outer,), (256,)])
    ):
        raise misshapen(name, f"a matrix {state.shape} in blocks of {state.block} does not have", *stored, *nested)

    def make() -> Tensor:
        extras: dict[str, NDArray[np.generic]] = {
            "absmax": integers(absmax) if nested else floats(absmax),
            "map": floats(values),
            "block": np.array(state.block, np.int32),
        }
        if nested:
            extras |= {
                "nested_absmax": floats(nested[0]),
                "nested_map": floats(nested[1]),
                "nested_block": np.array(state.nested_block, np.int32),
                "offset": np.array(state.offset, np.float32),
            }
        return Tensor(name, TensorType.NF4, state.shape, integers(codes).reshape(rows, columns // 2), extras)

    kind = suffix.rpartition("__")[2].upper()
    return AssembledTensor(name, TensorType.NF4, state.shape, [*stored, *nested], kind, make, Scales(group=state.block))


def _state(tensor: StoredTensor) -> _State:
    path = tensor.file.path
    require_stored(tensor.name, tensor, "U8")
    if tensor.nbytes > MOST_STATE_BYTES:
        raise ModelFileError(
            path, f"has {tensor.nbytes} bytes of {tensor.name[:100]!r}, which is a short JSON text; {AGAIN}"
        )
    match decode_json(path, integers(tensor).tobytes(), tensor.start):
        case {"shape": [int(rows), int(columns)], "blocksize": int(block), **more} if min(rows, columns, block) > 0:
            nested, offset = more.get("nested_blocksize", 0), more.get("nested_offset", 0.0)
            if isinstance(nested, int) and nested >= 0 and isinstance(offset, int | float):
                return _State((rows, columns), block, nested, float(offset))
    wanted = "a shape of two sizes, a blocksize, and those of nested scales if there are any"
    raise ModelFileError(path, f"has {tensor.name[:100]!r} without what it should say: {wanted}; {AGAIN}", tensor.start)


def _eight_bits(parts: Parts, module: str) -> AssembledTensor:
    name = f"{module}.weight"
    codes, scales = parts.take(module, "weight"), parts.take(module, "SCB")
    require_stored(name, codes, "I8")
    require_stored(name, scales, "F32")
    if len(codes.shape) != 2 or scales.shape != (codes.shape[0],):
        raise misshapen(name, "have no scale for each row", codes, scales)

    def read() -> tuple[Floats, Floats]:
        scale = floats(scales)[:, None] / np.float32(LARGEST_CODE)
        return scale, np.zeros_like(scale)

    return signed_rows(name, codes, codes.shape[1], [scales], "INT8", read)
