"""Which backend a process computes with: MLX's kernels where there is a GPU, else the native CPU kernels where they can
be used, plain MLX operations otherwise.

Importing this loads no MLX; choosing loads it only where it may have a GPU, or the native module is there and fits.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mlxr.runtime.errors import MlxrError

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend

NAMES = ("auto", "mlx", "cpu", "reference")
CUDA_VERSIONS = (12, 13)
"""Those that MLX's wheels come for, in packages of their own."""


class MlxUnavailableError(MlxrError):
    """MLX itself does not load here, and nothing can be computed; the message says why."""


class NativeUnavailableError(MlxrError):
    """The native backend can't be used here; the message says why."""


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """A backend by name, and in words why it is this one (for a log line and for ``mlxr doctor``)."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What there is to choose from: folders that may hold the native module's build record (an editable installation
    has two), the version of the installed MLX, how to load the module, and how to find out the GPU that MLX computes on
    ("" for none)."""

    folders: tuple[Path, ...]
    mlx_version: str
    load: Callable[[], object]
    gpu: Callable[[], str] = lambda: ""

    @classmethod
    def here(cls) -> Installation:
        package = importlib.import_module("mlxr.metal.cpu")
        folders = tuple(Path(folder) for folder in package.__path__)
        return cls(folders, metadata.version("mlx"), _load_native, _gpu)


def require_mlx() -> None:
    """Loads MLX. Raises ``MlxUnavailableError`` where that fails, as its CUDA library does without NVIDIA's driver."""
    try:
        importlib.import_module("mlx.core")
    except ImportError as error:
        raise MlxUnavailableError(f"MLX does not load: {error}") from error


def mend_mlx() -> str:
    """Returns what to do where the installed MLX does not load."""
    version = metadata.version("mlx")
    for cuda in CUDA_VERSIONS:
        if _installed(name := f"mlx-cuda-{cuda}"):
            cpu = f"pip uninstall {name} && pip install --force-reinstall --no-deps mlx-cpu=={version}"
            return f"install NVIDIA's driver for CUDA {cuda}, or compute on the CPU: {cpu}"
    return f"pip install --force-reinstall 'mlx[cpu]=={version}'"


def _load_native() -> object:
    # It is linked against MLX's own library, which is found once MLX has loaded it.
    require_mlx()
    return importlib.import_module("mlxr.metal.cpu._native")


def _gpu() -> str:
    """The name of the GPU that MLX computes on; MLX is loaded only where it could have one."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if not apple and not any(_installed(f"mlx-cuda-{version}") for version in CUDA_VERSIONS):
        return ""
    require_mlx()
    device = importlib.import_module("mlxr.metal.mlx.device")
    return str(device.described()) if device.kind() != "cpu" else ""


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def require_native(installation: Installation) -> None:
    """Raises ``NativeUnavailableError`` unless the native module was built, for the installed MLX, and loads.

    The build record is read first: a module built for another MLX would crash rather than fail to import.
    """
    record = _record(installation.folders)
    if not record.get("built"):
        log = str(record.get("log", "")).strip().splitlines()
        telling = next((line.strip() for line in log if "error" in line.lower()), "".join(log[-1:]))
        detail = f": {telling}" if telling else ""
        raise NativeUnavailableError(f"its build stopped ({record.get('reason', 'no reason recorded')}{detail})")
    if record.get("mlx") != installation.mlx_version:
        raise NativeUnavailableError(
            f"it was built for MLX {record.get('mlx')} and {installation.mlx_version} is installed; reinstall mlxr"
        )
    try:
        installation.load()
    except ImportError as error:
        raise NativeUnavailableError(f"it does not load ({error})") from error


def choose(name: str = "auto", installation: Installation | None = None) -> BackendChoice:
    """Decide on a backend. ``cpu`` demands the native one and raises ``NativeUnavailableError`` where it can't be used;
    ``auto`` takes a GPU if there is one, then the native one, then plain operations. Raises ``MlxUnavailableError``
    where MLX is needed for that and does not load, and ``ValueError`` for a name that is none of ``NAMES``."""
    if name not in NAMES:
        raise ValueError(f"no backend is called {name!r}; there are {', '.join(NAMES)}")
    if name == "reference":
        return BackendChoice("reference", "plain MLX operations, as asked")
    here = installation or Installation.here()
    if name in ("auto", "mlx"):
        if gpu := here.gpu():
            return BackendChoice("mlx", f"MLX's kernels on {gpu}")
        if name == "mlx":
            return BackendChoice("mlx", "MLX's kernels on the CPU, as asked; they are slow there")
    try:
        require_native(here)
    except NativeUnavailableError as error:
        if name == "cpu":
            raise
        return BackendChoice("reference", f"plain MLX operations, since the native CPU backend can't be used: {error}")
    return BackendChoice("cpu", "native CPU kernels")


def select_backend(
    name: str = "auto", threads: int = 0, checks: Path | None = None, pause: Callable[[], None] | None = None
) -> tuple[Backend, BackendChoice]:
    """Makes the chosen backend. ``threads``: 0 for as many as the process may use; only the native one has that
    setting. ``checks``: the folder where is remembered which of a GPU's kernels compute rightly; None not to check
    them. ``pause``: called now and then while the native one takes weights.

    Raises as ``choose`` does.
    """
    choice = choose(name)
    if choice.name == "reference":
        from mlxr.metal.reference.backend import ReferenceBackend

        return ReferenceBackend(), choice
    if choice.name == "mlx":
        return _mlx_backend(choice, checks)
    import mlx.core as mx

    from mlxr.metal.cpu.backend import CpuBackend

    mx.set_default_device(mx.Device(mx.DeviceType.cpu))
    backend = CpuBackend(threads, pause=pause)
    return backend, BackendChoice("cpu", f"{choice.reason} ({backend.isa}, {backend.threads} threads)")


def _mlx_backend(choice: BackendChoice, checks: Path | None) -> tuple[Backend, BackendChoice]:
    from mlxr.metal.mlx import device
    from mlxr.metal.mlx.backend import MlxBackend
    from mlxr.metal.mlx.device_checks import DeviceChecks

    ways = device.WAYS[device.kind()]
    if checks is None:
        return MlxBackend(ways), choice
    device.keep_kernels(checks / "kernels")
    found = DeviceChecks(ways, checks)
    ways = found.sound_ways()
    failing = found.failing
    without = f", without {', '.join(sorted(failing))}: wrong on this device" if failing else ""
    return MlxBackend(ways, found), BackendChoice("mlx", choice.reason + without)


def _record(folders: tuple[Path, ...]) -> dict[str, object]:
    """The build's record; without one (a source tree never built) it says that nothing was built."""
    for folder in folders:
        try:
            record = json.loads((folder / "native_build.json").read_text())
        except (OSError, ValueError):
            continue
        if isinstance(record, dict):
            return record
    return {"built": False, "reason": "it was never built here"}
