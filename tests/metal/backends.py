"""The backends this machine can run: the native one, once for each instruction set it has, MLX's own kernels on
whatever MLX computes on, and the reference (in ``ALL`` alone)."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

import numpy as np
from numpy.typing import ArrayLike

from mlxr.metal.backend import Backend
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS, kind
from mlxr.metal.mlx.device_checks import DeviceChecks
from mlxr.metal.reference.backend import ReferenceBackend

ON_GPU = kind() != "cpu"
"""Whether MLX computes on a GPU here, and with it the reference."""


def _native() -> dict[str, Backend]:
    try:
        from mlxr.metal.cpu import _native
        from mlxr.metal.cpu.backend import CpuBackend
    except ImportError:  # it was not built here
        return {"reference": ReferenceBackend()}
    return {isa: CpuBackend(2, isa) for isa in _native.isas()}


def _checked() -> MlxBackend:
    """MLX's kernels as ``select_backend`` makes them of a device: without those that are wrong there."""
    ways = WAYS[kind()]
    return MlxBackend(ways, DeviceChecks(ways, Path(gettempdir()) / f"mlxr-tests-{kind()}"))


_ALL = _native()
NATIVE_IDS = list(_ALL)
NATIVE = list(_ALL.values())
IDS = [*NATIVE_IDS, "mlx"]
BACKENDS: list[Backend] = [*NATIVE, _checked()]
ALL: list[Backend] = [ReferenceBackend(), *BACKENDS]
ALL_IDS = ["reference", *IDS]


def slack(backend: Backend, sixteen_bits: float) -> float:
    """How much further from the reference ``backend`` may be than one that computes in float32: ``sixteen_bits`` for
    one whose activations are 16-bit floats."""
    return sixteen_bits if backend.name == "mlx" else 1.0


def same_rows(backend: Backend, ours: ArrayLike, others: ArrayLike) -> bool:
    """Whether a row's numbers are those that it has in other company: in every bit, but for what 16-bit floats lose
    where MLX's kernels for a GPU are chosen by the number of rows."""
    own, other = np.asarray(ours, np.float32), np.asarray(others, np.float32)
    if ON_GPU and backend.name != "cpu":
        return bool(np.abs(own - other).max() < 1e-2 * np.abs(other).max())
    return np.array_equal(own, other)
