"""Tokenizers of the two real GGUF files, held against ids recorded from llama.cpp (vocabulary only)."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import Tokenizer, TokenizerError, load_gguf
from mlxr.models.tokenizers.table import STRETCH, TokenTable
from tests.models import model_path

RECORDED = Path(__file__).parents[2] / "data" / "tokenizers"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ABSENT = {0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xC0, 0xC1, 0xF1, 0xF2}
NAMES = ("smollm2", "gemma3")


@pytest.fixture(scope="session")
def tokenizers() -> dict[str, Tokenizer]:
    return {name: load_gguf(GGUFFile.open(model_path(name)).metadata) for name in NAMES}


def recorded(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text())
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_those_of_llama_cpp(tokenizers: dict[str, Tokenizer], name: str) -> None:
    tokenizer = tokenizers[name]
    assert recorded(name)
    for row in recorded(name):
        assert tokenizer.encode(row["text"]) == row["ids"], row["text"]
        assert tokenizer.encode(row["text"], add_special=False, parse_special=False) == row["plain"], row["text"]


@settings(deadline=None, max_examples=150)
@given(text=TEXT)
def test_byte_level_text_survives_a_round_trip(tokenizers: dict[str, Tokenizer], text: str) -> None:
    tokenizer = tokenizers["smollm2"]
    # These bytes are no tokens of SmolLM2, and characters with them are lost in llama.cpp as well.
    text = "".join(char for char in text if not ABSENT & set(char.encode()))
    tokens = tokenizer.encode(text, add_special=False, parse_special=False)
    assert tokenizer.decode(tokens) == text
    assert b"".join(map(tokenizer.token_bytes, tokens)) == text.encode()


@settings(deadline=None, max_examples=150)
@given(text=TEXT)
def test_sentencepiece_text_survives_a_round_trip_but_for_its_own_space_mark(
    tokenizers: dict[str, Tokenizer], text: str
) -> None:
    tokenizer = tokenizers["gemma3"]
    tokens = tokenizer.encode(text, add_special=False, parse_special=False)
    assert tokenizer.decode(tokens) == text.replace("▁", " ")


def test_control_tokens_written_in_text_count_only_when_asked_for(tokenizers: dict[str, Tokenizer]) -> None:
    for name, marker in (("smollm2", "<|im_start|>"), ("gemma3", "<start_of_turn>")):
        tokenizer = tokenizers[name]
        token = tokenizer.token_id(marker)
        assert token is not None
        assert tokenizer.encode(f"a{marker}b", add_special=False).count(token) == 1
        plain = tokenizer.encode(f"a{marker}b", add_special=False, parse_special=False)
        assert token not in plain
        assert tokenizer.decode(plain) == f"a{marker}b"


def test_decoding_leaves_control_tokens_out_unless_told(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["smollm2"]
    tokens = tokenizer.encode("<|im_start|>hi<|im_end|>")
    assert tokenizer.decode(tokens) == "hi"
    assert tokenizer.decode(tokens, skip_special=False) == "<|im_start|>hi<|im_end|>"


def test_roles_come_from_the_file_and_from_known_names(tokenizers: dict[str, Tokenizer]) -> None:
    smol, gemma = tokenizers["smollm2"].special, tokenizers["gemma3"].special
    assert (smol.bos, smol.eos, smol.add_bos) == (1, 2, False)
    assert smol.ends == {0, 2}
    assert (gemma.bos, gemma.eos, gemma.add_bos) == (2, 1, True)
    # <end_of_turn> ends a turn too; </s> is an HTML tag here and must not.
    assert gemma.ends == {1, 106}
    assert smol.fill is None


def test_a_bos_already_in_the_text_is_not_doubled(tokenizers: dict[str, Tokenizer]) -> None:
    gemma = tokenizers["gemma3"]
    assert gemma.encode("<bos>hi") == gemma.encode("hi")
    assert gemma.encode("hi", add_special=False) == gemma.encode("hi")[1:]


def test_an_id_beyond_the_vocabulary_has_no_bytes(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["smollm2"]
    assert tokenizer.vocab_size == 49152
    assert tokenizer.token_bytes(49152) == tokenizer.token_bytes(-1) == b""
    assert tokenizer.token_id("no such token") is None


@pytest.mark.parametrize("name", NAMES)
def test_threads_share_one_tokenizer(tokenizers: dict[str, Tokenizer], name: str) -> None:
    tokenizer, text = tokenizers[name], "The quick brown fox. <|im_end|>" * 200
    expected = tokenizer.encode(text)
    results: list[list[int]] = []
    threads = [threading.Thread(target=lambda: results.append(tokenizer.encode(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.ggml.model": None}, "without its tokenizer"),
        ({"tokenizer.ggml.model": "rwkv"}, "mlxr knows gpt2, llama"),
        ({"tokenizer.ggml.pre": "who-knows"}, "it knows .*llama-bpe.*qwen2.*smollm"),
        ({"tokenizer.ggml.tokens": []}, "no tokenizer.ggml.tokens"),
        ({"tokenizer.ggml.merges": None}, "no tokenizer.ggml.merges"),
        ({"tokenizer.ggml.merges": ["ab"]}, "not two parts"),
        ({"tokenizer.ggml.merges": ["x y"]}, "doesn't fit"),
        ({"tokenizer.ggml.token_type": [1]}, "1 values for 2 tokens"),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0]}, "1 values for 2 tokens"),
    ],
)
def test_broken_metadata_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.ggml.merges": [],
    }
    merged = {key: value for key, value in {**metadata, **change}.items() if value is not None}
    with pytest.raises(TokenizerError, match=message):
        load_gguf(merged)


def test_any_number_of_tokens_is_put_together_in_order() -> None:
    table = TokenTable([b"a", b"", b"bc"])
    assert table.join([0, 1, 2] * STRETCH) == b"abc" * STRETCH
    assert table.join([1] * 2 * STRETCH + [0]) == b"a"
    assert table.join([]) == b""
