"""Checks of what is installed: Python's packages, the native module, the GPU's backend, and what the GPU computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mlxr.cli.checks.finding import Finding, error, ok, warn
from mlxr.http.ui.bundle.files import is_built
from mlxr.metal.select import BackendChoice, mend_mlx

COMPILERS = ("c++", "g++", "clang++")
INSTALL_COMPILER = (
    "xcode-select --install" if sys.platform == "darwin" else "sudo apt install g++  (or your system's package)"
)
CUDA = "pip install 'mlx[cuda13]=={}'"
GPU_SECONDS = 10.0


def packages(distribution: str = "mlxr") -> Finding:
    """Installed versions against those that mlxr asks for."""
    wrong: list[str] = []
    for text in metadata.requires(distribution) or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if version not in wanted.specifier:
            wrong.append(f"{wanted.name} {version} is installed, and {wanted.specifier} is needed")
    if wrong:
        return error("packages", "; ".join(wrong), f"{_pip()} install --upgrade {distribution}")
    return ok("packages", "all that mlxr needs are here, in versions that it takes")


def tested_versions(constraints: Path) -> Finding | None:
    """Installed versions against those that a checkout was tested with; None where there is no such list."""
    try:
        lines = constraints.read_text().splitlines()
    except OSError:
        return None
    needed = {Requirement(text).name.lower() for text in metadata.requires("mlxr") or [] if "extra ==" not in text}
    other: list[str] = []
    for line in lines:
        name, _, version = line.partition("==")
        if name.lower() not in needed:
            continue
        with suppress(metadata.PackageNotFoundError):
            if (here := metadata.version(name)) != version:
                other.append(f"{name} {here} (tested: {version})")
    if other:
        mend = f"{_pip()} install -c {constraints} {' '.join(part.split()[0] for part in other)}"
        return warn("tested versions", f"other versions are installed than were tested: {', '.join(other)}", mend)
    return ok("tested versions", f"those of {constraints}")


def _pip() -> str:
    return f"{sys.executable} -m pip"


def web_application(bundle: Path) -> Finding:
    """Whether the pages of the web application are here. ``bundle``: the folder that they are built to."""
    if is_built(bundle):
        return ok("web application", "its pages are built")
    mend = "make setup, with Node 20.19 or newer installed (or install a wheel)"
    return warn("web application", "its pages are not built; all else works", mend)


def mlx(choice: BackendChoice) -> Finding:
    """MLX itself, which every backend computes with."""
    if choice.name == "none":
        return error("mlx", choice.reason, mend_mlx())
    return ok("mlx", "loads")


def native(choice: BackendChoice, folders: Sequence[Path], sources: bool) -> Finding:
    """The native kernels: whether they are used, else what keeps them from it. ``sources``: this is a checkout."""
    name = "native module"
    files = [file for folder in folders for file in folder.glob("_native.*") if file.suffix in (".so", ".dylib")]
    build = f"{_pip()} install --no-build-isolation --no-deps --force-reinstall {'-e .' if sources else 'mlxr'}"
    if choice.name == "cpu":
        if sources and (newer := _newer_source(files, folders)):
            return warn(name, f"it was built before {newer} was changed", build)
        return ok(name, "the CPU's kernels load")
    if choice.name == "none":
        return ok(name, "not looked at: MLX, which it is a part of, does not load")
    if choice.name == "mlx" and "CPU" not in choice.reason:
        return ok(name, "not needed: a GPU computes")
    if files and not any(_of_this_python(file) for file in files):
        text = f"{files[0].name} was built for another Python than {sys.version_info.major}.{sys.version_info.minor}"
        return error(name, text, build)
    why = choice.reason.partition("can't be used: ")[2] or choice.reason
    if not files:
        return error(name, f"it is missing ({why}), so that plain MLX operations compute, many times slower", build)
    return error(name, f"it can't be used ({why}), so that plain MLX operations compute, many times slower", build)


def _newer_source(files: Iterable[Path], folders: Iterable[Path]) -> str:
    """Returns a source file that is newer than the module that was built of it; '' if none is."""
    built = max((file.stat().st_mtime for file in files), default=float("inf"))
    sources = (file for folder in folders for file in folder.glob("native/**/*") if file.suffix in (".cpp", ".h"))
    return next((file.name for file in sources if file.stat().st_mtime > built), "")


def _of_this_python(file: Path) -> bool:
    suffix = file.name.partition(".")[2]
    return suffix in (str(sysconfig.get_config_var("EXT_SUFFIX")).lstrip("."), "so", "abi3.so")


def compiler(needed: bool) -> Finding:
    """A C++ compiler, which building the native module takes."""
    chosen = os.environ.get("CXX", "")
    found = next((path for name in (chosen, *COMPILERS) if name and (path := shutil.which(name.split()[0]))), None)
    if found:
        return ok("compiler", found)
    if needed:
        return error("compiler", "there is no C++ compiler to build the native module with", INSTALL_COMPILER)
    return ok("compiler", "there is none, and none is needed: the native module is built")


def gpu(choice: BackendChoice) -> Finding:
    """An NVIDIA GPU that nothing computes on."""
    described = _nvidia()
    if choice.name == "none" or not described:
        return ok("gpu", "one computes" if choice.name == "mlx" else "there is none that MLX could use")
    if choice.name == "mlx":
        return ok("gpu", described)
    version = metadata.version("mlx")
    return warn("gpu", f"there is a GPU ({described}), and MLX's CUDA backend is not installed", CUDA.format(version))


def _nvidia() -> str:
    """What the driver calls its GPUs; '' without one."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return ""
    try:
        done = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=GPU_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ", ".join(line.partition(" (UUID")[0].strip() for line in done.stdout.splitlines() if line.startswith("GPU"))


def parity(checks: Path) -> Finding:
    """Kernels of the GPU that computed wrong here."""
    try:
        record = json.loads((checks / "device-checks.json").read_text())
        failed = sorted(str(name) for name, right in record["found"].items() if not right)
        described = f"MLX {record['mlx']} on {record['device']}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ok("kernels", "none has been found to compute wrong")
    if failed:
        mend = f"{_pip()} install --force-reinstall mlx; rm {checks / 'device-checks.json'}"
        return warn("kernels", f"{', '.join(failed)} compute wrong ({described}); slower ways are taken", mend)
    return ok("kernels", f"{len(record['found'])} were checked and compute rightly ({described})")
