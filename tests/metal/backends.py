"""The backends this machine can run: the native one, once for each instruction set it has, MLX's own kernels on
whatever MLX computes on, and the reference (in ``ALL`` alone)."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import choose


def _native() -> dict[str, Backend]:
    if choose().name != "cpu":
        return {"reference": ReferenceBackend()}
    from mlxr.metal.cpu import _native
    from mlxr.metal.cpu.backend import CpuBackend

    return {isa: CpuBackend(2, isa) for isa in _native.isas()}


_ALL = _native()
NATIVE_IDS = list(_ALL)
NATIVE = list(_ALL.values())
IDS = [*NATIVE_IDS, "mlx"]
BACKENDS: list[Backend] = [*NATIVE, MlxBackend()]
ALL: list[Backend] = [ReferenceBackend(), *BACKENDS]
ALL_IDS = ["reference", *IDS]


def slack(backend: Backend, sixteen_bits: float) -> float:
    """How much further from the reference ``backend`` may be than one that computes in float32: ``sixteen_bits`` for
    one whose activations are 16-bit floats."""
    return sixteen_bits if backend.name == "mlx" else 1.0
