"""The compiler is the one that MLX has loaded, before another that the system would find."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

import pytest

from mlxr.metal.gpu import nvrtc

LOADED = ctypes.DEFAULT_MODE | os.RTLD_NOLOAD


@pytest.mark.parametrize(
    ("loaded", "there", "taken"),
    [
        (["libnvrtc.so.12"], ["libnvrtc.so.13", "libnvrtc.so.12"], "libnvrtc.so.12"),
        ([], ["libnvrtc.so.13", "libnvrtc.so.12"], "libnvrtc.so.13"),
        ([], ["libnvrtc.so.12"], "libnvrtc.so.12"),
    ],
)
def test_what_is_loaded_comes_before_what_is_newer(
    loaded: Sequence[str], there: Sequence[str], taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(name: str, mode: int = ctypes.DEFAULT_MODE) -> str:
        if name not in (loaded if mode == LOADED else there):
            raise OSError(f"{name}: cannot open shared object file")
        return name

    monkeypatch.setattr(ctypes, "CDLL", opened)
    assert nvrtc._first_of(nvrtc.LIBRARIES) == taken
