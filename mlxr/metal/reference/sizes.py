"""What the reference backend holds: float32 numbers, whatever the file has; in pages of the type ``int8`` codes."""

from __future__ import annotations

from mlxr.metal.cache import SCALE_BYTES, NumberType, Vectors
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.sizes import FLOAT_BYTES, MatrixForm


class ReferenceSizes:
    """Implements ``mlxr.metal.sizes.BackendSizes``."""

    name = "reference"

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int:
        return form.rows * form.columns * FLOAT_BYTES

    def table(self, form: MatrixForm) -> int:
        return form.nbytes

    def pool(self, spec: PoolSpec) -> int:
        return sum(len(part.group.layers) * _layer_bytes(part) for part in spec.groups)

    def resident(self, spec: PoolSpec) -> int:
        return self.pool(spec)


def _layer_bytes(part: GroupSpec) -> int:
    if part.group.state_size is not None:
        return part.pages * part.group.state_size * FLOAT_BYTES
    return part.pages * part.page_size * sum(map(_token_bytes, part.group.vectors))


def _token_bytes(kept: Vectors) -> int:
    one = kept.dims + kept.scales * SCALE_BYTES if kept.type is NumberType.INT8 else kept.dims * FLOAT_BYTES
    return kept.count * one
