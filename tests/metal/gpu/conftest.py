"""Kernels are emulated by programs that clang compiles."""

from __future__ import annotations

import os

import pytest

from tests.metal.gpu.emulated import compiler


@pytest.fixture(autouse=True, scope="session")
def clang() -> None:
    try:
        compiler()
    except RuntimeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
