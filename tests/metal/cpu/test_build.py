"""How the native module is built, in a folder that stays from build to build."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "cmake" / "build_native.cmake"
BIN = Path(sys.executable).parent

PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(instead LANGUAGES NONE)
if(NOT DEFINED CACHE{found})
  set(found "$ENV{CXX}" CACHE INTERNAL "as a compiler is found once")
endif()
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/found.txt" "${found}")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/found.txt" DESTINATION .)
"""


def built(checkout: Path) -> dict[str, str]:
    """What a build leaves for the package."""
    source = checkout / "source"
    source.mkdir(parents=True, exist_ok=True)
    (source / "CMakeLists.txt").write_text(PROJECT)
    places = {"SOURCE": source, "BINARY": checkout / "build", "STAGE": checkout / "stage", "PYTHON": sys.executable}
    tools = {"GENERATOR": "Ninja", "MAKE_PROGRAM": BIN / "ninja"}
    given = [f"-D{name}={value}" for name, value in (places | tools).items()]
    subprocess.run([BIN / "cmake", *given, "-P", SCRIPT], check=True, capture_output=True)
    return {file.name: file.read_text() for file in (checkout / "stage").iterdir()}


def test_what_was_found_is_kept_for_as_long_as_it_is_asked_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "one")
    assert built(tmp_path / "a") == {"found.txt": "one"}
    kept = tmp_path / "a" / "build" / "CMakeCache.txt"
    kept.write_text(kept.read_text().replace("found:INTERNAL=one", "found:INTERNAL=kept"))
    assert built(tmp_path / "a") == {"found.txt": "kept"}
    monkeypatch.setenv("CXX", "other")
    assert built(tmp_path / "a") == {"found.txt": "other"}


def test_a_checkout_that_was_moved_is_built_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "one")
    built(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert built(tmp_path / "b") == {"found.txt": "one"}
