"""Tokenizers of encoders from GGUF metadata, held against llama.cpp's vectors, ``tokenizer.json`` and SentencePiece."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlxr.models.tokenizers import Tokenizer, TokenizerError, load_gguf
from mlxr.models.tokenizers.load import load_directory
from mlxr.models.tokenizers.token_types import TokenType
from tests.models import model_path

DATA = Path(__file__).parents[2] / "data"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROLES = {"[CLS]": "cls", "[SEP]": "seperator", "[UNK]": "unknown", "[PAD]": "padding", "[MASK]": "mask"}


def bert_metadata() -> dict[str, Any]:
    """What llama.cpp's converter writes of MiniLM's tokenizer, whose vocabulary is BERT's own."""
    source = json.loads((model_path("minilm") / "tokenizer.json").read_text())
    vocabulary: dict[str, int] = source["model"]["vocab"]
    tokens, types = [""] * len(vocabulary), [int(TokenType.NORMAL)] * len(vocabulary)
    metadata: dict[str, Any] = {"tokenizer.ggml.model": "bert"}
    for token, id in vocabulary.items():
        bracketed = token.startswith("[") and token.endswith("]")
        tokens[id] = token[2:] if token.startswith("##") else token if bracketed else "▁" + token
        if token in ROLES:
            types[id] = int(TokenType.CONTROL)
            metadata[f"tokenizer.ggml.{ROLES[token]}_token_id"] = id
    return {**metadata, "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}


@pytest.fixture(scope="module")
def bert() -> Tokenizer:
    return load_gguf(bert_metadata())


def test_wordpiece_gives_the_ids_that_llama_cpp_publishes(bert: Tokenizer) -> None:
    rows = json.loads((DATA / "tokenizers" / "bert.json").read_text())
    assert len(rows) == 47
    for row in rows:
        assert bert.encode(row["text"], add_special=False) == row["plain"], row["text"]


@pytest.fixture(scope="module")
def folder() -> Tokenizer:
    return load_directory(model_path("minilm"))


@settings(deadline=None, max_examples=300)
@given(text=TEXT)
def test_wordpiece_reads_a_text_as_the_same_models_folder_does(bert: Tokenizer, folder: Tokenizer, text: str) -> None:
    assert bert.encode(text) == folder.encode(text)
    assert bert.encode(text, parse_special=False) == folder.encode(text, parse_special=False)


def test_wordpiece_puts_its_marks_around_a_text_and_leaves_them_out_of_it(bert: Tokenizer) -> None:
    assert bert.encode("Hello [MASK]") == [101, 7592, 103, 102]
    assert bert.decode(bert.encode("Hello world")) == "hello world"
    assert 103 not in bert.encode("[MASK]", parse_special=False)


def test_a_cased_vocabulary_keeps_its_capitals() -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁Hello", "▁hello", "▁cafe", "▁café"]
    metadata = {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, 3, 3, 1, 1, 1, 1],
        "tokenizer.ggml.cls_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,
        "tokenizer.ggml.unknown_token_id": 1,
    }
    assert load_gguf(metadata).encode("Hello café", add_special=False) == [5, 6]
    cased = {**metadata, "tokenizer.ggml.normalizer.lowercase": False}
    assert load_gguf(cased).encode("Hello café", add_special=False) == [4, 7]


@pytest.fixture(scope="module", params=["nmt_nfkc", "identity"])
def trained(request: pytest.FixtureRequest) -> tuple[sentencepiece.SentencePieceProcessor, Tokenizer]:
    """A Unigram model that SentencePiece trains, and ours from what llama.cpp's converter writes of it."""
    written = io.BytesIO()
    lines = (DATA / "alice.txt").read_text().splitlines()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=written,
        model_type="unigram",
        vocab_size=300,
        hard_vocab_limit=False,
        normalization_rule_name=request.param,
        byte_fallback=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    count = processor.vocab_size()
    types = [3 if processor.is_control(i) else 2 if processor.is_unknown(i) else 1 for i in range(count)]
    metadata = {
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": [processor.id_to_piece(i) for i in range(count)],
        "tokenizer.ggml.scores": np.array([processor.get_score(i) for i in range(count)], np.float32),
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": processor.bos_id(),
        "tokenizer.ggml.eos_token_id": processor.eos_id(),
        "tokenizer.ggml.unknown_token_id": processor.unk_id(),
        "tokenizer.ggml.remove_extra_whitespaces": True,
        "tokenizer.ggml.precompiled_charsmap": list(charsmap_of(written.getvalue())),
    }
    return processor, load_gguf(metadata)


def charsmap_of(proto: bytes) -> bytes:
    """Field 2 of field 3 (``normalizer_spec.precompiled_charsmap``) of a serialized ``ModelProto``."""
    return dict(fields(dict(fields(proto))[3])).get(2, b"")


def fields(message: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        size = varint() if kind in (0, 2) else 4
        content = b"" if kind == 0 else message[at : at + size]
        at += len(content)
        found.append((number, content))
    return found


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(TEXT, st.text("aliceALICE ﬁé①\t\n", max_size=60)))
@example(text="?lll")
def test_unigram_reads_a_text_as_sentencepiece_does(
    trained: tuple[sentencepiece.SentencePieceProcessor, Tokenizer], text: str
) -> None:
    processor, tokenizer = trained
    # Control pieces and the space's own mark are no text to SentencePiece.
    text = text.replace("▁", "")
    ours, theirs = tokenizer.encode(text, add_special=False, parse_special=False), processor.encode(text)
    # Of two best ways to cut, "l" + "ll" and "ll" + "l", the last bit of a sum picks one, and sums differ in width.
    assert ours == theirs or is_another_best_cut(processor, ours, theirs)


def is_another_best_cut(processor: sentencepiece.SentencePieceProcessor, ours: list[int], theirs: list[int]) -> bool:
    """Tells whether the same characters are cut into known pieces that are as likely together."""
    cut = ["".join(processor.id_to_piece(tokens)) for tokens in (ours, theirs)]
    likely = [sum(processor.get_score(token) for token in tokens) for tokens in (ours, theirs)]
    same_unknown = ours.count(processor.unk_id()) == theirs.count(processor.unk_id())
    return cut[0] == cut[1] and same_unknown and likely[0] == pytest.approx(likely[1], rel=1e-6)


def test_another_best_cut_is_as_likely(trained: tuple[sentencepiece.SentencePieceProcessor, Tokenizer]) -> None:
    processor, _ = trained
    short, long, other = (processor.piece_to_id(piece) for piece in ("l", "ll", "a"))
    assert is_another_best_cut(processor, [long, short], [short, long])
    assert not is_another_best_cut(processor, [short, short, short], [short, long])
    assert not is_another_best_cut(processor, [other, short], [short, other])


def test_unigram_gives_text_back_and_puts_its_marks_around_it(
    trained: tuple[sentencepiece.SentencePieceProcessor, Tokenizer],
) -> None:
    processor, tokenizer = trained
    tokens = tokenizer.encode("Alice was beginning")
    assert (tokens[0], tokens[-1]) == (processor.bos_id(), processor.eos_id())
    assert tokenizer.decode(tokens) == "Alice was beginning"


@pytest.mark.parametrize(
    ("charsmap", "said"),
    [
        ([0, 0, 0], "claims a trie"),
        ([255, 255, 255, 255], "claims a trie"),
        ([4, 0, 0, 0, 0, 0, 0, 0, 0xFF], "not UTF-8"),
        ([4, 0, 0, 0, 0, 0, 0, 0, *b"x" * 100_000], "times as long"),
        ([1000], "no list of bytes"),
        ("AAAA", "not a list of bytes"),
        ([0.5], "no list of bytes"),
    ],
)
def test_a_charsmap_that_makes_no_sense_is_named(charsmap: Any, said: str) -> None:
    metadata = {
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": ["<pad>", "</s>", "<unk>", "▁"],
        "tokenizer.ggml.scores": [0.0, 0.0, 0.0, -1.0],
        "tokenizer.ggml.token_type": [3, 3, 2, 1],
        "tokenizer.ggml.precompiled_charsmap": charsmap,
    }
    with pytest.raises(TokenizerError, match=said) as raised:
        load_gguf(metadata)
    assert "tokenizer.ggml.precompiled_charsmap" in str(raised.value)


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_a_vocabulary_without_the_roles_it_needs_is_refused(kind: str) -> None:
    metadata = {"tokenizer.ggml.model": kind, "tokenizer.ggml.tokens": ["▁a"], "tokenizer.ggml.scores": [0.0]}
    with pytest.raises(TokenizerError, match="token_id"):
        load_gguf(metadata)
