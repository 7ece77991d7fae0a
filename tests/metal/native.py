"""The backends this machine can run besides the reference: the native one, once for each instruction set it has."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import choose


def _backends() -> dict[str, Backend]:
    if choose().name != "cpu":
        return {"reference": ReferenceBackend()}
    from mlxr.metal.cpu import _native
    from mlxr.metal.cpu.backend import CpuBackend

    return {isa: CpuBackend(2, isa) for isa in _native.isas()}


_ALL = _backends()
IDS = list(_ALL)
BACKENDS = list(_ALL.values())
