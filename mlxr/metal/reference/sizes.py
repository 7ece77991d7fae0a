"""What the reference backend holds: float32 numbers, whatever the file has."""

from __future__ import annotations

from mlxr.metal.pool import PoolSpec
from mlxr.metal.sizes import FLOAT_BYTES, MatrixForm


class ReferenceSizes:
    """Implements ``mlxr.metal.sizes.BackendSizes``."""

    name = "reference"

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int:
        return form.rows * form.columns * FLOAT_BYTES

    def table(self, form: MatrixForm) -> int:
        return form.nbytes

    def pool(self, spec: PoolSpec) -> int:
        return spec.numbers() * FLOAT_BYTES

    def resident(self, spec: PoolSpec) -> int:
        return self.pool(spec)
