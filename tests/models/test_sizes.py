from __future__ import annotations

import pytest

from mlxr.models.sizes import parameter_size


@pytest.mark.parametrize(
    ("count", "text"),
    [(134_515_008, "134.52M"), (7_241_732_096, "7.2B"), (7_000_000_000, "7B"), (22_400, "22K"), (24, "24")],
)
def test_sizes_are_written_as_ollama_writes_them(count: int, text: str) -> None:
    assert parameter_size(count) == text
