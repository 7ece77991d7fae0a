"""Which backend is chosen, and what is said about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlxr.metal.mlx import device_checks
from mlxr.metal.select import BackendChoice, Installation, NativeUnavailableError, choose, select_backend


def installed(folder: Path, record: dict[str, object] | None, error: ImportError | None = None) -> Installation:
    if record is not None:
        (folder / "native_build.json").write_text(json.dumps(record))

    def load() -> None:
        if error is not None:
            raise error

    return Installation((folder / "elsewhere", folder), "1.2.3", load)


BUILT: dict[str, object] = {"built": True, "mlx": "1.2.3"}


def test_a_module_built_for_the_installed_mlx_is_used(tmp_path: Path) -> None:
    assert choose("auto", installed(tmp_path, BUILT)).name == "cpu"


@pytest.mark.parametrize(
    ("record", "error", "reason"),
    [
        (None, None, "never built"),
        (
            {"built": False, "reason": "compiling failed", "log": "a\nx.cpp: error: no\nstopped"},
            None,
            "compiling failed: x.cpp: error: no",
        ),
        ({"built": True, "mlx": "1.2.2"}, None, "built for MLX 1.2.2 and 1.2.3 is installed"),
        (BUILT, ImportError("no symbol x"), "no symbol x"),
    ],
)
def test_otherwise_plain_mlx_is_used_and_the_reason_told(
    tmp_path: Path, record: dict[str, object] | None, error: ImportError | None, reason: str
) -> None:
    choice = choose("auto", installed(tmp_path, record, error))
    assert choice.name == "reference"
    assert reason in choice.reason


def test_a_module_for_another_mlx_is_not_even_loaded(tmp_path: Path) -> None:
    loaded: list[bool] = []
    record = installed(tmp_path, {"built": True, "mlx": "0.1"})
    choose("auto", Installation(record.folders, record.mlx_version, lambda: loaded.append(True)))
    assert not loaded


def test_asking_for_the_native_backend_where_there_is_none_fails_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NativeUnavailableError, match="never built"):
        choose("cpu", installed(tmp_path, None))


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="auto, mlx, cpu, reference"):
        choose("gpu")


def test_the_reference_can_be_asked_for() -> None:
    backend, choice = select_backend("reference")
    assert backend.name == choice.name == "reference"


def test_a_gpu_comes_before_the_native_kernels(tmp_path: Path) -> None:
    here = replace(installed(tmp_path, BUILT), gpu=lambda: "a GPU")
    assert choose("auto", here) == BackendChoice("mlx", "MLX's kernels on a GPU")
    assert choose("cpu", here).name == "cpu"


def test_mlx_s_kernels_can_be_asked_for_where_there_is_no_gpu(tmp_path: Path) -> None:
    assert "slow" in choose("mlx", installed(tmp_path, BUILT)).reason


def test_what_a_device_computes_wrong_is_told_with_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_checks, "holds", lambda ways, name: name not in ("rope", "fused"))
    _, choice = select_backend("mlx", checks=tmp_path)
    assert choice.reason.endswith("without fused, rope: wrong on this device")
