"""Vocabularies of GGUF files that make no sense: what is wrong is said of its key, and nothing else goes wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import TokenizerError, load_directory, load_gguf
from mlxr.runtime.errors import MlxrError
from tests.models import model_path

GGML = "tokenizer.ggml."


def gguf(**changes: Any) -> dict[str, Any]:
    metadata = {
        "model": "llama",
        "tokens": ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab"],
        "scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0],
        "token_type": [2, 3, 3, 1, 1, 1, 1, 1],
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return {GGML + key: value for key, value in (metadata | changes).items()}


def test_a_small_vocabulary_encodes() -> None:
    assert load_gguf(gguf()).encode("ab") == [1, 7]


def test_several_unknown_tokens_are_one_too_many_for_the_package_and_not_for_us() -> None:
    """As in the vocabulary of phi-3, where ``<unk>`` is 0 and a placeholder has its type as well."""
    tokens = ["<a>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "<unk>", "<|endoftext|>"]
    scores = [0.0] * 3 + [-1.0, -2.0, -3.0, -4.0, -5.0, 0.0, 0.0]
    for unknown in (0, 8):
        tokenizer = load_gguf(
            gguf(tokens=tokens, scores=scores, token_type=[2, 3, 3, 1, 1, 1, 1, 1, 2, 2], unknown_token_id=unknown)
        )
        assert tokenizer.encode("ab<unk>") == [1, 7, 8]
        plain = tokenizer.encode("ab", parse_special=False)
        assert plain == [1, 7]
        assert tokenizer.encode("z", add_special=False, parse_special=False)[-1] == unknown


@pytest.mark.parametrize("twin", ["ab", "", "<s>", "<unk>"])
def test_a_token_that_is_there_twice_or_empty_is_never_found(twin: str) -> None:
    metadata = gguf()
    tokens = [*metadata[GGML + "tokens"], twin, twin, "[8]"]
    metadata = gguf(
        tokens=tokens, scores=[*metadata[GGML + "scores"], -0.1, -0.2, -9.0], token_type=[2, 3, 3] + [1] * 8
    )
    tokenizer = load_gguf(metadata)
    assert tokenizer.encode("ab") == [1, 7]
    assert tokenizer.encode("aab", add_special=False)[-1] == 6
    assert tokenizer.token_bytes(8) == twin.encode()


@pytest.mark.parametrize("marker", ["<end_of_turn>", "<start_of_turn>", "[INST]", "<|im_start|>"])
@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_a_marker_of_turns_that_its_file_calls_user_defined_counts_where_control_tokens_do(
    marker: str, model: str
) -> None:
    metadata = gguf()
    tokens, scores = [*metadata[GGML + "tokens"], marker, "<think>"], [*metadata[GGML + "scores"], 0.0, 0.0]
    types = [2, 3, 3, 1, 1, 1, 1, 1, 4, 4]
    tokenizer = load_gguf(
        gguf(model=model, pre="gpt-2", merges=["a b"], tokens=tokens, scores=scores, token_type=types)
    )
    assert 8 in tokenizer.encode(f"ab{marker}")
    assert 8 not in tokenizer.encode(f"ab{marker}", parse_special=False)
    assert 9 in tokenizer.encode("ab<think>", parse_special=False)
    assert marker in tokenizer.markers
    assert "<think>" not in tokenizer.markers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": [0.0] * 7 + [float("nan")]}, r"scores\[7\] is nan"),
        ({"scores": np.array([float("inf")] + [0.0] * 7, np.float32)}, r"scores\[0\] is inf"),
        ({"scores": ["a"] * 8}, "no list of numbers"),
        ({"scores": 5}, "no list of numbers"),
        ({"scores": [[0.0]] * 8}, "no list of numbers"),
        ({"scores": [0.0]}, "1 values for 8 tokens"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, 9]}, r"token_type\[7\] is 9"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, -1]}, r"token_type\[7\] is -1"),
        ({"token_type": [2.5] * 8}, "no list of integers"),
        ({"token_type": [1]}, "1 values for 8 tokens"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, 6]}, r"tokens\[7\] is '▁ab', and of a byte's type"),
        ({"tokens": "abcdefgh"}, "no list of strings"),
        ({"tokens": 5}, "no list of strings"),
        ({"tokens": [1] * 8}, r"tokens\[0\] is no string"),
        ({"tokens": ["a" * 70_000] + ["b"] * 7}, r"tokens\[0\] has 70000 bytes"),
        ({"bos_token_id": 8}, "bos_token_id is 8, and there are 8 tokens"),
        ({"eos_token_id": "a"}, "eos_token_id is 'a'"),
        ({"unknown_token_id": 9}, "unknown_token_id is 9"),
        ({"unknown_token_id": [1]}, "unknown_token_id"),
        ({"add_bos_token": "yes"}, "neither true nor false"),
        ({"add_space_prefix": []}, "neither true nor false"),
        ({"model": ["llama"]}, "mlxr knows"),
        ({"model": "gpt2", "pre": ["a"], "merges": ["a b"]}, "pre-tokenizer this version does not know"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": "a b"}, "merges is no list"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": ["a nowhere"]}, "doesn't fit.*nowhere"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [5]}, r"merges\[0\] is no string"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [""]}, "not two parts"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [" "]}, "not two parts"),
    ],
)
def test_a_vocabulary_of_a_gguf_that_makes_no_sense_is_refused_naming_the_key(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TokenizerError, match=message):
        load_gguf(gguf(**changes))


def test_roles_that_no_token_has_are_none_and_ids_that_are_none_are_said(caplog: pytest.LogCaptureFixture) -> None:
    special = load_gguf(gguf(bos_token_id=0xFFFFFFFF, eot_token_id=99)).special
    assert special.bos is None
    assert 99 not in special.ends
    (said,) = caplog.messages
    assert "tokenizer.ggml.eot_token_id is 99" in said


SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-3, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(-3, 3), max_size=2),
)


KEYS = [
    "tokens",
    "scores",
    "token_type",
    "merges",
    "pre",
    "model",
    "bos_token_id",
    "eos_token_id",
    "unknown_token_id",
    "padding_token_id",
    "add_bos_token",
    "add_eos_token",
    "add_space_prefix",
    "fim_pre_token_id",
    "eot_token_id",
]


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_keys_of_a_gguf_vocabulary_may_have_any_value(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(["llama", "gpt2", "gemma4"]))
    metadata = gguf(model=model, pre="gpt-2", merges=["a b"])
    for key in data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)):
        value = data.draw(st.one_of(SCALAR, st.lists(SCALAR, min_size=8, max_size=8)))
        metadata[GGML + key] = value
    for key in ("tokens", "scores", "token_type"):
        if metadata[GGML + key] and isinstance(metadata[GGML + key], list) and data.draw(st.booleans()):
            values = [*metadata[GGML + key]]
            values[data.draw(st.integers(0, len(values) - 1)) : 1] = [data.draw(SCALAR)]
            metadata[GGML + key] = values
    with suppress(MlxrError):
        tokenizer = load_gguf(metadata)
        tokenizer.decode(tokenizer.encode("ab<s>z"))


def test_the_real_vocabularies_still_load() -> None:
    for name in ("smollm2", "gemma3"):
        assert load_gguf(GGUFFile.open(model_path(name)).metadata).vocab_size > 1000
    assert load_directory(model_path("minilm")).vocab_size > 1000
