"""The page of bounds for Macs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.cli.bench.macs import MACS, Mac, embedding, llama, longest_prompt, page, seconds
from mlxr.cli.bench.roofline import decode, prefill

PAGE = Path(__file__).parents[3] / "docs" / "macs.md"


def test_the_page_is_what_the_command_writes() -> None:
    assert PAGE.read_text() == page(), "python -m mlxr.cli.bench.macs > docs/macs.md"


def test_the_model_has_the_weights_that_it_is_known_for() -> None:
    # 8.03 G parameters, of which the table of embeddings is not multiplied with.
    assert llama().operations / 2 == pytest.approx(8.03e9 - 128_256 * 4096, rel=0.001)
    assert llama().weights == pytest.approx(llama().operations / 2 * 4.5 / 8)


def test_memory_bounds_a_token_and_arithmetic_a_prompt() -> None:
    slow = Mac("slow", 100, 10, 3.6)
    assert seconds(decode(llama(), 512, 1), slow) == seconds(decode(llama(), 512, 1), Mac("", 100, 10, 36))
    assert seconds(prefill(llama(), 512), slow) == seconds(prefill(llama(), 512), Mac("", 1000, 10, 3.6))


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_the_longest_prompt_within_a_second_is_no_longer_and_no_shorter(mac: Mac) -> None:
    most = longest_prompt(mac)
    assert seconds(prefill(llama(), most), mac) <= 1 < seconds(prefill(llama(), most + 32), mac)


def test_an_embedding_computes_two_operations_a_weight_and_attention() -> None:
    assert embedding(1).operations == pytest.approx(2 * 85e6, rel=0.01)
    assert embedding(512).operations > 512 * embedding(1).operations
