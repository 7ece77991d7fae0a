"""Chooses the backend: native kernels where they load, plain MLX operations otherwise."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend


def select_backend(name: str, threads: int) -> tuple[Backend, str]:
    """The backend of that name (auto, cpu, reference) and, when auto fell back, why; else ''."""
    if name == "reference":
        return ReferenceBackend(), ""
    from mlxr.metal.cpu.backend import CpuBackend

    return CpuBackend(threads), ""
