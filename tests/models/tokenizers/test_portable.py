"""Which tokenizers may run beside streams, and that they stay what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Pipeline
from tokenizers import normalizers, pre_tokenizers
from tokenizers.models import BPE, WordPiece

from mlxr.models.tokenizers import Tokenizer, load_directory
from mlxr.models.tokenizers import portable as portable_module
from mlxr.models.tokenizers.huggingface import TokenizerJson
from mlxr.models.tokenizers.portable import carried, portable

BERT = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
WORDS = ["[UNK]", "[CLS]", "[SEP]", "over", "##ly", "a", "##b", "é"]


def source() -> dict[str, Any]:
    pipeline = Pipeline(WordPiece({word: id for id, word in enumerate(WORDS)}, unk_token="[UNK]"))
    pipeline.normalizer = normalizers.BertNormalizer()
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.add_special_tokens(["[CLS]", "[SEP]"])
    made: dict[str, Any] = json.loads(pipeline.to_str())
    return made


def loaded(folder: Path, content: Any) -> Tokenizer:
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return load_directory(folder)


def test_wordpiece_encodes_elsewhere_as_it_does_here(tmp_path: Path) -> None:
    here = loaded(tmp_path, source())
    made = portable(here)
    assert made is not None
    there = carried(made, here.table, here.special, strips_space=here.strips_space)
    for text in ("Overly", "ab [SEP] over", "É ab", "漢over", ""):
        for special in (True, False):
            assert there.encode(text, parse_special=special) == here.encode(text, parse_special=special)


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]}},
        {"normalizer": {"type": "Sequence", "normalizers": [BERT, BERT]}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a|b"}, "behavior": "Isolated", "invert": False}},
        {"model": {"max_input_chars_per_word": 1_000_000}},
        {"model": {"continuing_subword_prefix": "#" * 1_000}},
    ],
)
def test_what_may_take_long_for_a_short_text_stays_in_its_sandbox(tmp_path: Path, change: dict[str, Any]) -> None:
    content = source()
    for key, value in change.items():
        content[key] = content[key] | value if key == "model" else value
    assert portable(loaded(tmp_path, content)) is None


def test_what_takes_long_to_make_stays_in_its_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = loaded(tmp_path, source())
    made = portable(here)
    assert made is not None
    monkeypatch.setattr(portable_module, "MOST_CHARACTERS", len(json.dumps(source())) // 2)
    assert portable(here) is None


def test_added_tokens_and_all_that_a_model_is_told_go_with_it(tmp_path: Path) -> None:
    content = source()
    content["model"]["continuing_subword_prefix"] = "@@"
    content["model"]["vocab"]["@@ly"] = len(WORDS)
    new = {"content": "<new>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}
    content["added_tokens"].append({"id": len(WORDS) + 1, "special": False, **new})
    here = loaded(tmp_path, content)
    made = portable(here)
    assert made is not None
    there = carried(made, here.table, here.special, strips_space=here.strips_space)
    assert isinstance(here, TokenizerJson)
    assert there.source() == here.source()
    assert there.encode("overly <new>") == here.encode("overly <new>") == [3, len(WORDS), len(WORDS) + 1]


def test_other_kinds_stay_in_their_sandbox(tmp_path: Path) -> None:
    assert portable(loaded(tmp_path, json.loads(Pipeline(BPE({"a": 0}, [])).to_str()))) is None
