"""FP8 folders (``quant_method: fp8``, as DeepSeek and Qwen publish; ``fbgemm_fp8``): E4M3 weights and their scales.

A matrix ``X.weight`` F8_E4M3 ``[out, in]`` is multiplied by ``X.weight_scale_inv`` or ``X.weight_scale``: one number,
one for each row, or one for each block of ``weight_block_size`` (cut at the edges). Scales are floats, or powers of two
in a byte (E8M0); of those, one for each 32 values of a row make it MXFP8 (``quant_method: mxfp8``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import fp4
from mlxr.metal.sizes import Scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.formats.quantized.fp4 import mxfp8
from mlxr.models.formats.quantized.parts import (
    FLOATS,
    AssembledTensor,
    Parts,
    floats,
    integers,
    misshapen,
    require_stored,
)
from mlxr.models.hyperparameters import MOST
from mlxr.models.modelfile import StoredTensor

METHODS = ("fp8", "fbgemm_fp8", "mxfp8")
SCALES = ("weight_scale_inv", "weight_scale")
ACTIVATIONS = ("input_scale", "activation_scale", "input_scale_ub", "k_scale", "v_scale", "output_scale")
POWERS = ("U8", "F8_E8M0")
"""What a byte of powers of two is stored as."""

LEFT_OUT = "scales of activations are left out: they keep more bits here than the 8 that those are for"

Extras = dict[str, NDArray[np.generic]]


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts FP8 matrices and their scales together."""
    block = block_size(parts, settings.get("weight_block_size"))
    for module in parts.modules("weight"):
        if parts.tensors[f"{module}.weight"].stored_as == "F8_E5M2":
            place = parts.tensors[f"{module}.weight"].file.path
            raise UnsupportedModelError(place, f"stores {module[:100]!r} as F8_E5M2; of FP8 mlxr reads F8_E4M3")
        if parts.tensors[f"{module}.weight"].stored_as == "F8_E4M3":
            codes = parts.take(module, "weight")
            name = next((name for name in SCALES if f"{module}.{name}" in parts.tensors), None)
            if name is None:
                raise parts.lacks(module, SCALES[1], "the scale")
            scale = parts.take(module, name)
            mx = scale.stored_as in POWERS and block in (None, (1, fp4.MX_GROUP)) and scale.shape[:1] == codes.shape[:1]
            parts.put(mxfp8(codes.name, codes, scale) if mx else scaled(codes, scale, block))
    parts.drop(ACTIVATIONS, LEFT_OUT)


def block_size(parts: Parts, given: object) -> tuple[int, int] | None:
    """Returns rows and columns of a block; None where scales are no blocks'."""
    match given:
        case None:
            return None
        case [int(rows), int(columns)] if 0 < rows <= MOST and 0 < columns <= MOST:
            return rows, columns
    raise parts.error(f"has the weight_block_size {str(given)[:40]}, which should be two sizes")


def scaled(codes: StoredTensor, scale: StoredTensor, block: tuple[int, int] | None) -> AssembledTensor:
    """Returns an FP8 matrix. Raises ``ModelFileError`` for scales that do not fit it."""
    require_stored(codes.name, scale, *FLOATS, *POWERS)
    if len(codes.shape) != 2:
        raise misshapen(codes.name, "are no matrix and its scales", codes, scale)
    shape = (codes.shape[0], codes.shape[1])
    spread = _spread(codes, scale, block)

    def make() -> Tensor:
        values = powers(scale) if scale.stored_as in POWERS else floats(scale)
        if spread is None:
            extras: Extras = {"scale": values.reshape(())}
        else:
            rows = -(-shape[0] // spread[0])
            extras = {"scale": values.reshape(rows, -1), "block": np.array(spread, np.int32)}
        return Tensor(codes.name, TensorType.FP8_E4M3, shape, integers(codes), extras)

    kind = Scales(group=0 if spread is None else spread[1])
    return AssembledTensor(codes.name, TensorType.FP8_E4M3, shape, [codes, scale], "F8_E4M3", make, kind)


def powers(scale: StoredTensor) -> NDArray[np.float32]:
    """Returns what scales of a byte mean: ``2 ** (byte - 127)``."""
    return np.ldexp(np.float32(1), integers(scale).astype(np.int32) - 127).astype(np.float32)


def _spread(codes: StoredTensor, scale: StoredTensor, block: tuple[int, int] | None) -> tuple[int, int] | None:
    """Rows and columns that share a scale; None where all do."""
    rows, columns = codes.shape
    count = int(np.prod(scale.shape, dtype=np.int64))
    if count == 1 and (block is None or len(scale.shape) < 2):
        return None
    if scale.shape in ((rows,), (rows, 1)) and block is None:
        return 1, columns
    if block is not None and scale.shape == (-(-rows // block[0]), -(-columns // block[1])):
        return block
    wanted = f"blocks of {block[0]} x {block[1]}" if block else "a scale for all or for each row"
    raise misshapen(codes.name, f"does not make {wanted}", codes, scale)
