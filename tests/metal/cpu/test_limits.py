"""What the machine gives at most, which ``bench shapes`` holds speeds against."""

from __future__ import annotations

import pytest

from tests.metal.backends import NATIVE, NATIVE_IDS


@pytest.mark.parametrize("isa", NATIVE_IDS)
def test_every_instruction_set_tells_what_it_reads_and_multiplies(isa: str) -> None:
    backend = NATIVE[NATIVE_IDS.index(isa)]
    reading, products = backend.measure_reading(), backend.measure_products()
    # A byte takes no more than a microsecond anywhere, and a core's cycle reads some hundred at most.
    assert 1e6 < reading < 1e13
    assert 1e6 < products < 1e14
