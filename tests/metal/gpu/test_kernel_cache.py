"""Machine code lies where MLX looks for it, is compiled once, and again where it was damaged."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mlxr.metal.gpu import kernel_cache, nvrtc

SOURCE = 'extern "C" __global__ void double_it(float* x) { x[threadIdx.x] *= 2; }'


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The sources that were compiled."""
    sources: list[str] = []

    def compile(source: str, architecture: str) -> bytes:
        sources.append(source)
        return f"code of {source} for {architecture}".encode()

    monkeypatch.setattr(nvrtc, "compiled", compile)
    monkeypatch.setattr(nvrtc, "version", lambda: "13.0")
    monkeypatch.setattr(kernel_cache, "_folder", lambda: tmp_path)
    monkeypatch.setattr(kernel_cache, "_architecture", lambda: "sm_90a")
    return sources


def test_code_lies_under_the_name_that_mlx_makes_of_no_source(compiled: list[str], tmp_path: Path) -> None:
    name = kernel_cache.cached_kernel("double_it", SOURCE)
    path = tmp_path / f"{name}_553e93901e462a6e.ptx"
    assert path.read_bytes() == f"code of {SOURCE} for sm_90a".encode()
    assert f"{name}\tdouble_it" in path.with_suffix(".txt").read_text().splitlines()


def test_a_source_is_compiled_once(compiled: list[str]) -> None:
    assert kernel_cache.cached_kernel("double_it", SOURCE) == kernel_cache.cached_kernel("double_it", SOURCE)
    assert compiled == [SOURCE]


def test_another_source_has_another_name(compiled: list[str]) -> None:
    assert kernel_cache.cached_kernel("double_it", SOURCE) != kernel_cache.cached_kernel("double_it", SOURCE + "\n")


def test_damaged_code_is_compiled_again(compiled: list[str], tmp_path: Path) -> None:
    name = kernel_cache.cached_kernel("double_it", SOURCE)
    path = tmp_path / f"{name}_553e93901e462a6e.ptx"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert kernel_cache.cached_kernel("double_it", SOURCE) == name
    assert path.read_bytes() == whole
    assert compiled == [SOURCE] * 2


def test_what_can_t_be_written_leaves_nothing_behind(
    compiled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(made: str, place: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            kernel_cache.cached_kernel("double_it", SOURCE)
    assert list(tmp_path.iterdir()) == []
    assert kernel_cache.cached_kernel("double_it", SOURCE)


def test_kernels_that_nobody_used_for_long_make_room_for_others(
    compiled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source(number: int) -> str:
        return f"{SOURCE} // {number}"

    def place(name: str) -> Path:
        return tmp_path / f"{name}_553e93901e462a6e.ptx"

    names = [kernel_cache.cached_kernel("double_it", source(number)) for number in range(3)]
    for age, name in enumerate(names):
        os.utime(place(name), (1000 + age, 1000 + age))
    kernel_cache.cached_kernel("double_it", source(0))  # used again, and so no longer the oldest
    size = place(names[0]).stat().st_size
    monkeypatch.setattr(kernel_cache, "MOST_BYTES", 3 * size)
    last = kernel_cache.cached_kernel("double_it", source(3))
    assert [place(name).exists() for name in (*names, last)] == [True, False, True, True]
    assert len(list(tmp_path.glob("*.txt"))) == 3


def test_without_a_compiler_nothing_is_launched_by_name(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(source: str, architecture: str) -> bytes:
        raise OSError("libnvrtc.so.13 is not there")

    monkeypatch.setattr(nvrtc, "compiled", missing)
    assert not kernel_cache.launches_by_name.__wrapped__()
