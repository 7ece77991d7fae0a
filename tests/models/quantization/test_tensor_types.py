"""The mixes as llama.cpp's documentation states them; ``tests/peers`` holds them against llama.cpp itself."""

from __future__ import annotations

from collections import Counter

import pytest

from mlxr.metal.tensors import TensorType as T
from mlxr.models.quantization.file_types import FILE_TYPES, file_type
from mlxr.models.quantization.mixes import ModelFacts, Shape
from mlxr.models.quantization.tensor_types import Choices, fitting, in_file_order, types_of


def shapes(layers: int = 16, width: int = 256, tied: bool = False) -> list[Shape]:
    names = {"token_embd.weight": (64, width), "output_norm.weight": (width,)}
    if not tied:
        names["output.weight"] = (64, width)
    for layer in range(layers):
        names[f"blk.{layer}.attn_norm.weight"] = (width,)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            names[f"blk.{layer}.{part}.weight"] = (256, width)
    return [Shape(name, T.F32, names[name]) for name in in_file_order(names)]


def chosen(type: str, choices: Choices | None = None, importance: bool = True, **sizes: int) -> dict[str, T]:
    tensors = shapes(sizes.get("layers", 16), sizes.get("width", 256), bool(sizes.get("tied")))
    facts = ModelFacts(
        "llama",
        sizes.get("layers", 16),
        8,
        sizes.get("key_heads", 2),
        sizes.get("experts", 0),
        not any(tensor.name == "output.weight" for tensor in tensors),
        importance,
    )
    return types_of(tensors, file_type(type), facts, choices)


def of(part: str, types: dict[str, T]) -> Counter[T]:
    return Counter(type for name, type in types.items() if f".{part}." in name)


def test_the_medium_mix_keeps_half_of_values_and_downs_in_six_bits() -> None:
    types = chosen("Q4_K_M")
    for part in ("attn_v", "ffn_down"):
        assert of(part, types) == {T.Q6_K: 8, T.Q4_K: 8}
    for part in ("attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up"):
        assert of(part, types) == {T.Q4_K: 16}
    assert types["output.weight"] is T.Q6_K
    assert types["token_embd.weight"] is T.Q4_K


def test_norms_stay_as_they_are() -> None:
    for each in FILE_TYPES:
        types = chosen(each.name)
        assert types["output_norm.weight"] is T.F32
        assert of("attn_norm", types) == {T.F32: 16}


def test_the_small_mix_spends_more_on_the_first_layers_alone() -> None:
    types = chosen("Q4_K_S")
    assert of("attn_v", types) == {T.Q5_K: 4, T.Q4_K: 12}
    assert of("ffn_down", types) == {T.Q5_K: 2, T.Q4_K: 14}


def test_the_embedding_of_a_tied_model_has_the_bits_of_its_output() -> None:
    assert chosen("Q4_K_M", tied=1)["token_embd.weight"] is T.Q6_K
    assert chosen("Q8_0", tied=1)["token_embd.weight"] is T.Q8_0


def test_values_that_many_queries_share_get_more_bits() -> None:
    assert of("attn_v", chosen("Q2_K", key_heads=2)) == {T.Q4_K: 16}
    assert of("attn_v", chosen("Q2_K", key_heads=8)) == {T.Q3_K: 16}


def test_eight_experts_have_keys_and_values_of_eight_bits() -> None:
    types = chosen("Q4_K_M", experts=8)
    assert of("attn_v", types) == of("attn_k", types) == {T.Q8_0: 16}
    assert of("attn_output", types) == {T.Q5_K: 16}


def test_without_importances_the_first_downs_get_more_bits() -> None:
    assert of("ffn_down", chosen("IQ4_XS", importance=False)) == {T.Q5_K: 2, T.IQ4_XS: 14}
    assert of("ffn_down", chosen("IQ4_XS")) == {T.IQ4_XS: 16}


@pytest.mark.parametrize(
    ("type", "instead"),
    [(T.Q4_K, T.Q5_0), (T.Q6_K, T.Q8_0), (T.Q2_K, T.Q4_0), (T.IQ4_XS, T.IQ4_NL), (T.Q5_K, T.Q5_1)],
)
def test_rows_that_do_not_fill_blocks_of_256_get_the_type_of_32_above(type: T, instead: T) -> None:
    assert fitting(type, 576) is instead
    assert fitting(type, 512) is type
    assert fitting(type, 40) is T.F16


def test_a_pure_file_has_one_type_for_all_matrices() -> None:
    types = chosen("Q4_K_M", Choices(pure=True))
    assert {type for name, type in types.items() if "norm" not in name} == {T.Q4_K}


def test_people_lay_down_types_of_single_tensors() -> None:
    types = chosen(
        "Q4_K_M", Choices(output=T.Q8_0, embedding=T.Q5_K, by_name=((r"blk\.3\.ffn_.*", T.Q6_K), ("ffn_up", T.Q5_0)))
    )
    assert (types["output.weight"], types["token_embd.weight"]) == (T.Q8_0, T.Q5_K)
    assert types["blk.3.ffn_up.weight"] is T.Q6_K
    assert types["blk.4.ffn_up.weight"] is T.Q5_0
    assert chosen("Q4_K_M", Choices(keep_output=True))["output.weight"] is T.F32


def test_a_type_is_found_in_any_case_and_one_that_is_none_is_told_all() -> None:
    assert file_type("q4_k_m").number == 15
    assert file_type("Q4_K").name == "Q4_K_M"
    with pytest.raises(ValueError, match=r"'Q4_Q' is no type to quantize to; choose from F32, F16, .*IQ4_XS"):
        file_type("Q4_Q")
