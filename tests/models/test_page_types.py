"""Which types a model's pages have."""

from __future__ import annotations

import pytest

from mlxr.metal.cache import CacheGroup, NumberType, attention_group, cache_groups, latent_group, state_group
from mlxr.models.page_types import PageType, described, typed_groups

HALF, INT8 = NumberType.HALF, NumberType.INT8
GROUPS = cache_groups(
    [attention_group(0, 2, 64), attention_group(1, 2, 64, 512), latent_group(2, 96), state_group(3, 9)]
)


def types(groups: tuple[CacheGroup, ...]) -> list[list[NumberType]]:
    return [[vectors.type for vectors in group.vectors] for group in groups]


@pytest.mark.parametrize("wanted", ["auto", "16bit"])
def test_pages_are_of_16_bits_unless_somebody_asks_for_others(wanted: PageType) -> None:
    assert typed_groups(GROUPS, wanted, "llama") == GROUPS


def test_keys_values_and_latents_become_codes_and_states_stay() -> None:
    typed = typed_groups(GROUPS, "int8", "llama")
    assert types(typed) == [[INT8, INT8], [INT8, INT8], [INT8], []]
    assert typed[3] == GROUPS[3]


@pytest.mark.parametrize("architecture", ["gpt-oss", "gpt_oss"])
def test_keys_of_gpt_oss_stay_whatever_is_asked_for(architecture: str) -> None:
    assert types(typed_groups(GROUPS[:2], "int8", architecture)) == [[HALF, INT8]] * 2


def test_types_are_told_in_a_few_words() -> None:
    assert described(GROUPS) == "16bit"
    assert described(typed_groups(GROUPS, "int8", "llama")) == "int8"
    assert described(typed_groups(GROUPS[:1], "int8", "gpt-oss")) == "keys 16bit, values int8"
    assert described(GROUPS[3:]) == ""
