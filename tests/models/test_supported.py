"""What is said to run is what can be loaded."""

from __future__ import annotations

from mlxr.models import loading, supported


def test_models_that_pass_as_supported_are_those_that_can_be_loaded() -> None:
    assert set(loading.GGUF_ARCHITECTURES) == supported.GGUF_ARCHITECTURES
    assert set(loading.FOLDER_ARCHITECTURES) == supported.FOLDER_ARCHITECTURES
