"""compressed-tensors folders (llm-compressor, as vLLM's people publish): a format for each group of modules.

``pack-quantized``: ``X.weight_packed`` int32, codes of a row side by side from the lowest bit up, ``X.weight_shape``,
and ``X.weight_scale`` ``[out, groups]`` (one group: by channel); ``X.weight_zero_point`` packed along the rows where
codes are not symmetric. A code is stored with half its range added. ``int-quantized``: ``X.weight`` int8 with the like
scales and zero points. ``float-quantized``: FP8, as in ``fp8.py``. ``nvfp4-pack-quantized``, ``mxfp4-pack-quantized``,
``mxfp8-quantized``: as in ``fp4.py``. What a module has tells its form; ``config_groups`` tells bits and groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.models.formats.quantized import fp4
from mlxr.models.formats.quantized.act_order import column_groups, reordered
from mlxr.models.formats.quantized.fp8 import ACTIVATIONS, LEFT_OUT, block_size, scaled
from mlxr.models.formats.quantized.integers import signed_rows
from mlxr.models.formats.quantized.parts import (
    FLOATS,
    AssembledTensor,
    Floats,
    Parts,
    affine_or_half,
    floats,
    integers,
    misshapen,
    require_stored,
)
from mlxr.models.modelfile import StoredTensor

METHODS = ("compressed-tensors", "compressed_tensors")
FORMATS = (
    "dense",
    "pack-quantized",
    "int-quantized",
    "float-quantized",
    "naive-quantized",
    "nvfp4-pack-quantized",
    "mxfp4-pack-quantized",
    "mxfp8-quantized",
    "mixed-precision",
)


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices and their scales together."""
    groups = _groups(parts, settings)
    for module in parts.modules("weight_packed"):
        packed = parts.take(module, "weight_packed")
        if packed.stored_as == "U8":
            parts.put(_float4(parts, module, packed))
        else:
            parts.put(_packed(parts, module, packed, _weights_of(parts, groups, module)))
    for module in parts.modules("weight_scale"):
        codes = parts.take(module, "weight")
        if codes.stored_as == "I8":
            parts.put(_bytes(parts, module, codes, _weights_of(parts, groups, module)))
        else:
            parts.put(_float8(parts, module, codes, _weights_of(parts, groups, module)))
    parts.drop((*ACTIVATIONS, "input_zero_point", "input_global_scale"), LEFT_OUT)


def _groups(parts: Parts, settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The groups of modules. Raises ``UnsupportedModelError`` for what changes numbers in a way that mlxr lacks."""
    groups = settings.get("config_groups")
    if not isinstance(groups, Mapping) or not all(isinstance(group, Mapping) for group in groups.values()):
        raise parts.error("has a quantization_config without config_groups, which say how")
    for form in (settings.get("format"), *(group.get("format") for group in groups.values())):
        if form is not None and form not in FORMATS:
            reason = f"has compressed-tensors' format {str(form)[:40]!r}; mlxr reads {', '.join(FORMATS)}"
            raise parts.unsupported(reason)
    sparsity = settings.get("sparsity_config")
    if isinstance(sparsity, Mapping) and sparsity.get("format", "dense") != "dense":
        form = str(sparsity["format"])[:40]
        raise parts.unsupported(f"has sparse weights ({form!r}), and mlxr reads dense ones alone")
    if settings.get("transform_config"):
        raise parts.unsupported("has a transform_config, whose rotations mlxr does not apply")
    if any(group.get("input_activations") for group in groups.values()) or settings.get("kv_cache_scheme"):
        parts.note(LEFT_OUT)
    return list(groups.values())


def _weights_of(parts: Parts, groups: list[Mapping[str, Any]], module: str) -> Mapping[str, Any]:
    """What ``config_groups`` says of the weights of ``module``: the group that names it, else one for all."""
    fitting = [group for group in groups if any(_fits(target, module) for target in _targets(group))]
    for group in fitting or groups[:1]:
        if isinstance(weights := group.get("weights"), Mapping):
            return weights
    raise parts.error(f"has {module[:100]!r} quantized, and no config_group that says how")


def _targets(group: Mapping[str, Any]) -> list[Any]:
    targets = group.get("targets")
    return targets if isinstance(targets, list) else []


def _fits(target: object, module: str) -> bool:
    """Whether a target, a name or an expression after ``re:``, means ``module``; a class of modules means none by
    itself."""
    if not isinstance(target, str):
        return False
    if not target.startswith("re:"):
        return target == module
    try:
        return re.match(target.removeprefix("re:"), module) is not None
    except re.error:
        return False


def _packed(parts: Parts, module: str, codes: StoredTensor, weights: Mapping[str, Any]) -> AssembledTensor:
    name = f"{module}.weight"
    scales, sizes = parts.take(module, "weight_scale"), parts.take(module, "weight_shape")
    zeros, order = parts.optional(module, "weight_zero_point"), parts.optional(module, "weight_g_idx")
    require_stored(name, codes, "I32")
    require_stored(name, scales, *FLOATS)
    bits = weights.get("num_bits")
    if bits not in affine.BITS or isinstance(bits, bool):
        reason = f"quantizes {module[:100]} to {str(bits)[:20]} bits; mlxr reads {affine.BITS}"
        raise parts.unsupported(reason)
    shape = _shape(name, sizes)
    groups = scales.shape[1] if len(scales.shape) == 2 else 1
    stored = [codes, scales, *([] if zeros is None else [zeros])]
    packed_columns = -(-shape[1] * bits // 32)
    if codes.shape != (shape[0], packed_columns) or scales.shape not in ((shape[0], groups), (1,)):
        raise misshapen(name, f"{bits} bits of a matrix {shape} do not make", *stored)
    if shape[1] % groups:
        raise misshapen(name, f"{groups} groups of a matrix {shape} do not make", *stored)
    if zeros is not None and zeros.shape != (-(-shape[0] * bits // 32), groups):
        raise misshapen(name, f"{groups} groups of a matrix {shape} do not make", *stored)
    indices = column_groups(order, shape[1], shape[1] // groups, groups)

    def read() -> tuple[NDArray[np.uint8], Floats, Floats]:
        scale = np.broadcast_to(floats(scales).reshape(-1, groups), (shape[0], groups))
        zero: Any = 1 << (bits - 1)
        if zeros is not None:
            across = np.ascontiguousarray(integers(zeros).T).view(np.uint8)
            zero = affine.unpacked(across, bits)[:, : shape[0]].T
        row_bytes = shape[1] * bits // 8
        return integers(codes).view(np.uint8)[:, :row_bytes], scale, -scale * zero

    if indices is not None:
        return reordered(parts, name, shape, bits, stored, f"INT{bits}", read, indices)
    return affine_or_half(name, shape, bits, shape[1] // groups, stored, f"INT{bits}", read)


def _shape(name: str, sizes: StoredTensor) -> tuple[int, int]:
    require_stored(name, sizes, "I64", "I32")
    if sizes.shape == (2,):
        rows, columns = (int(size) for size in integers(sizes))
        if rows > 0 and columns > 0:
            return rows, columns
    raise misshapen(name, "names no two sizes", sizes)


def _bytes(parts: Parts, module: str, codes: StoredTensor, weights: Mapping[str, Any]) -> AssembledTensor:
    name = f"{module}.weight"
    scales, zeros = parts.take(module, "weight_scale"), parts.optional(module, "weight_zero_point")
    require_stored(name, scales, *FLOATS)
    stored = [scales, *([] if zeros is None else [zeros])]
    groups = scales.shape[1] if len(scales.shape) == 2 else 1
    if len(codes.shape) != 2 or codes.shape[1] % groups:
        raise misshapen(name, "are no matrix and its scales", codes, *stored)
    if scales.shape not in ((codes.shape[0], groups), (codes.shape[0],), (1,), ()):
        raise misshapen(name, "has no scale for each row", codes, *stored)
    if zeros is not None:
        require_stored(name, zeros, "I8")
        if zeros.shape != scales.shape:
            raise misshapen(name, "has no zero point for each scale", codes, *stored)

    def read() -> tuple[Floats, Floats]:
        scale = np.broadcast_to(floats(scales).reshape(-1, groups), (codes.shape[0], groups))
        zero = 0 if zeros is None else integers(zeros).astype(np.float32).reshape(-1, groups)
        return scale, np.broadcast_to(np.asarray(zero, np.float32), scale.shape)

    return signed_rows(name, codes, codes.shape[1] // groups, stored, f"INT{str(weights.get('num_bits', 8))[:2]}", read)


def _float4(parts: Parts, module: str, codes: StoredTensor) -> AssembledTensor:
    scales = parts.take(module, "weight_scale")
    if scales.stored_as in ("U8", "F8_E8M0"):
        return fp4.mxfp4(f"{module}.weight", codes, scales)
    require_stored(codes.name, scales, "F8_E4M3")
    return fp4.nvfp4(f"{module}.weight", codes, scales, parts.take(module, "weight_global_scale"), divides=True)


def _float8(parts: Parts, module: str, codes: StoredTensor, weights: Mapping[str, Any]) -> AssembledTensor:
    require_stored(f"{module}.weight", codes, "F8_E4M3")
    scale = parts.take(module, "weight_scale")
    if scale.stored_as in ("U8", "F8_E8M0"):
        return fp4.mxfp8(codes.name, codes, scale)
    blocks = weights.get("strategy") == "block"
    if (zeros := parts.optional(module, "weight_zero_point")) is not None and _numbers(zeros).any():
        raise misshapen(codes.name, "has zero points, which FP8 has none of", zeros)
    return scaled(codes, scale, block_size(parts, weights.get("block_structure")) if blocks else None)


def _numbers(tensor: StoredTensor) -> NDArray[Any]:
    return floats(tensor) if tensor.stored_as in FLOATS else integers(tensor)
