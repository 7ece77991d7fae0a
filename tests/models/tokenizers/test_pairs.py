"""Two texts as one input: every kind of tokenizer puts them together as the model was trained to see them."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer as Pipeline

from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf
from mlxr.models.tokenizers.pairs import PairFrame
from tests.models import model_path

WORDS = {
    "tokenizer.ggml.model": "bert",
    "tokenizer.ggml.tokens": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁a", "▁b"],
    "tokenizer.ggml.token_type": [3, 3, 3, 3, 1, 1],
    "tokenizer.ggml.cls_token_id": 2,
    "tokenizer.ggml.seperator_token_id": 3,
    "tokenizer.ggml.unknown_token_id": 1,
}
PIECES = {
    "tokenizer.ggml.model": "t5",
    "tokenizer.ggml.tokens": ["<s>", "<pad>", "</s>", "<unk>", "▁a", "▁b"],
    "tokenizer.ggml.scores": [0.0, 0.0, 0.0, 0.0, -1.0, -2.0],
    "tokenizer.ggml.token_type": [3, 3, 3, 2, 1, 1],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 3,
}


def byte_level(begin: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [begin, end, "a", "b", "ab"],
        "tokenizer.ggml.token_type": [3, 3, 1, 1, 1],
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        **{f"tokenizer.ggml.{key}": value for key, value in more.items()},
    }


@pytest.mark.parametrize(
    ("metadata", "frame"),
    [
        (WORDS, PairFrame([2], [3], [3], segmented=True)),
        (PIECES, PairFrame([0], [2, 2], [2])),
        ({**PIECES, "tokenizer.ggml.bos_token_id": None}, PairFrame([], [2], [2])),
        (byte_level("<s>", "</s>", add_bos_token=True, add_eos_token=True), PairFrame([0], [1, 1], [1])),
        (byte_level("[CLS]", "[SEP]", add_bos_token=True, add_eos_token=True), PairFrame([0], [1], [1])),
        (byte_level("<s>", "</s>", add_bos_token=True), None),
    ],
    ids=["bert", "xlm-roberta", "t5", "roberta", "modern-bert", "a text model"],
)
def test_a_gguf_file_s_pairs_are_those_of_its_kind(metadata: dict[str, Any], frame: PairFrame | None) -> None:
    assert load_gguf({key: value for key, value in metadata.items() if value is not None}).pair_frame() == frame


def test_a_folder_s_pairs_are_those_of_its_post_processor() -> None:
    folder = model_path("minilm")
    tokenizer: Tokenizer = load_directory(folder)
    frame = tokenizer.pair_frame()
    assert frame is not None
    query, document = "what is a [SEP]arate Wörd?", "an answer , of   two sentences. Indeed"
    first, second = (tokenizer.encode(text, add_special=False, parse_special=False) for text in (query, document))
    pipeline = Pipeline.from_file(str(folder / "tokenizer.json"))
    pipeline.no_truncation()
    pipeline.no_padding()
    pipeline.encode_special_tokens = True
    expected = pipeline.encode(query, document)
    assert [*frame.before, *first, *frame.between, *second, *frame.after] == expected.ids
    assert expected.type_ids.index(1) == len(frame.before) + len(first) + len(frame.between)
    assert frame.segmented


def test_a_text_model_has_none() -> None:
    assert load_gguf(GGUFFile.open(model_path("smollm2")).metadata).pair_frame() is None
