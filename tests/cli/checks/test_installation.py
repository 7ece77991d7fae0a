"""Faults of an installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.cli.checks import installation
from mlxr.cli.checks.finding import Level
from mlxr.metal.select import BackendChoice

NATIVE = BackendChoice("cpu", "native CPU kernels")
PLAIN = BackendChoice(
    "reference", "plain MLX operations, since the native CPU backend can't be used: it was built for MLX 0.1"
)


def test_a_native_module_that_is_missing_says_how_it_is_built(tmp_path: Path) -> None:
    found = installation.native(PLAIN, [tmp_path], sources=True)
    assert found.level == Level.ERROR
    assert "missing" in found.text
    assert "install" in found.mend
    assert "-e ." in found.mend
    assert installation.native(NATIVE, [tmp_path], sources=True).level == Level.OK


def test_a_native_module_that_is_old_says_why_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "_native.abi3.so").touch()
    found = installation.native(PLAIN, [tmp_path], sources=False)
    assert found.level == Level.ERROR
    assert "built for MLX 0.1" in found.text


def test_a_native_module_that_is_older_than_its_sources_is_named(tmp_path: Path) -> None:
    (tmp_path / "native" / "ops").mkdir(parents=True)
    source = tmp_path / "native" / "ops" / "norm.cpp"
    source.touch()
    (tmp_path / "_native.abi3.so").touch()
    os.utime(tmp_path / "_native.abi3.so", (1, 1))
    found = installation.native(NATIVE, [tmp_path], sources=True)
    assert found.level == Level.WARN
    assert "norm.cpp" in found.text
    os.utime(source, (0, 0))
    assert installation.native(NATIVE, [tmp_path], sources=True).level == Level.OK


def test_a_native_module_of_another_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "_native.cpython-39-x86_64-linux-gnu.so").touch()
    found = installation.native(PLAIN, [tmp_path], sources=False)
    assert found.level == Level.ERROR
    assert "cpython-39" in found.text
    assert "another Python" in found.text


def test_a_compiler_is_missed_only_where_there_is_something_to_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert installation.compiler(needed=True).level == Level.ERROR
    assert installation.compiler(needed=False).level == Level.OK
    (tmp_path / "g++").touch(mode=0o755)
    assert installation.compiler(needed=True).level == Level.OK


def test_a_gpu_that_nothing_computes_on_is_found_by_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert installation.gpu(NATIVE).level == Level.OK
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)'\n")
    driver.chmod(0o755)
    found = installation.gpu(NATIVE)
    assert found.level == Level.WARN
    assert "NVIDIA H100" in found.text
    assert "mlx[cuda13]==" in found.mend
    assert installation.gpu(BackendChoice("mlx", "MLX's kernels on an H100")).level == Level.OK
    driver.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert installation.gpu(NATIVE).level == Level.OK


def test_a_kernel_that_computed_wrong_is_named(tmp_path: Path) -> None:
    record = {"device": "H100", "driver": "1", "mlx": "0.32.4", "ways": "", "found": {"paged_decode": False, "x": True}}
    (tmp_path / "device-checks.json").write_text(json.dumps(record))
    found = installation.parity(tmp_path)
    assert found.level == Level.WARN
    assert "paged_decode" in found.text
    record["found"] = {"x": True}
    (tmp_path / "device-checks.json").write_text(json.dumps(record))
    assert installation.parity(tmp_path).level == Level.OK
    (tmp_path / "device-checks.json").write_text("{")
    assert installation.parity(tmp_path).level == Level.OK


def test_a_package_of_a_version_that_is_not_taken_is_named(tmp_path: Path) -> None:
    """In a process that finds another version of a package first."""
    folder = tmp_path / "msgspec-0.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 0.1\n")
    code = "from mlxr.cli.checks.installation import packages; found = packages(); print(found.level, found.text)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("error msgspec 0.1 is installed, and >=")
    assert installation.packages().level == Level.OK


def test_versions_other_than_those_tested_are_named(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# tested\nmsgspec==0.0.1\nsomething-else==1\n")
    found = installation.tested_versions(constraints)
    assert found is not None
    assert found.level == Level.WARN
    assert "(tested: 0.0.1)" in found.text
    assert "-c" in found.mend
    assert "something-else" not in found.text
    assert installation.tested_versions(tmp_path / "absent") is None


def test_a_web_application_that_is_not_built_is_said_with_the_way_to_it(tmp_path: Path) -> None:
    found = installation.web_application(tmp_path)
    assert found.level == Level.WARN
    assert "make setup" in found.mend
    (tmp_path / "index.html").touch()
    assert installation.web_application(tmp_path).level == Level.OK
