"""The native kernels under AddressSanitizer and UndefinedBehaviorSanitizer, over awkward shapes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / "asan"
"""Kept between runs, since only what changed is compiled again; ``make fuzz`` goes on with it."""


def run(*command: str | Path) -> None:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


def test_no_kernel_reads_or_writes_out_of_bounds() -> None:
    source = ROOT / "mlxr" / "metal" / "cpu" / "native"
    # The environment's own, as in the Makefile: another version of CMake compiles everything again.
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert cmake, "CMake belongs to the packages that `make setup` installs"
    run(cmake, "-S", source, "-B", BUILD, "-DMLXR_SANITIZE=ON")
    run(cmake, "--build", BUILD, "--parallel", "2", "--target", "operations_test")
    run(BUILD / "operations_test")
