"""``tokenizer.json``: every kind of model and pipeline step, loaded and then used on a few texts."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from mlxr.models.tokenizers import load_directory
from tests.fuzz.kind import Kind
from tests.fuzz.mutations import EXTREMES, mutated_bytes, mutated_json, written_json

TEXTS = ("hello world", "a" * 40 + "!", " \n\t", "é𝒳\u202e", "<s>ab</s>", "")
PATTERNS = ("(a+)+$", "(a|a)*b", "a{1000}{1000}", "(", "(?=a)b", "\\p{L}+", "^", "")
MAPS = ("AAAA", "/////w==", "", "!", "AAAAAAAAAAAAAAA=", "A" * 4000)


def special(number: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **flags}


def vocabulary() -> dict[str, int]:
    return {token: i for i, token in enumerate(["<s>", "</s>", *"abcdehlorw", "Ġ", "ab", "he", "▁", "##a", "[UNK]"])}


def valid() -> list[dict[str, Any]]:
    """One pipeline for each kind of model."""
    words = vocabulary()
    base = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(0, "<s>"), special(1, "</s>")],
    }
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    }
    split = {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated", "invert": False}
    charsmap = {"type": "Precompiled", "precompiled_charsmap": ""}
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    normalizers = [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}, charsmap]
    pieces = [[token, -float(i)] for token, i in words.items()]
    word_piece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": words}  # fmt: skip
    return [
        {**base, "normalizer": {"type": "Sequence", "normalizers": normalizers[:2]}, "pre_tokenizer": level,
         "post_processor": template, "decoder": level,
         "model": {"type": "BPE", "vocab": words, "merges": ["a b", "h e"]}},
        {**base, "normalizer": charsmap, "pre_tokenizer": space, "post_processor": None, "decoder": space,
         "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}},
        {**base, "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                "strip_accents": None, "lowercase": True},
         "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": template,
         "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "model": word_piece},
        {**base, "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
         "post_processor": None, "decoder": {"type": "Sequence", "decoders": [level]},
         "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}},
    ]  # fmt: skip


class TokenizerJson(Kind):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._valid = valid()
        config = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))

    def make(self, random: Random) -> bytes:
        source = random.choice(self._valid)
        if random.random() < 0.1:
            return mutated_bytes(random, json.dumps(source).encode())
        return written_json(random, mutated_json(random, source, (pattern, charsmap, number, vocab, merges))).encode()

    def read(self, data: bytes) -> None:
        (self.folder / "tokenizer.json").write_bytes(data)
        tokenizer = load_directory(self.folder)
        for text in TEXTS:
            tokenizer.decode(tokenizer.encode(text)[:50])


def pattern(random: Random) -> Any:
    return {random.choice(("Regex", "String")): random.choice(PATTERNS)}


def charsmap(random: Random) -> Any:
    return {"type": "Precompiled", "precompiled_charsmap": random.choice(MAPS)}


def number(random: Random) -> Any:
    return special(random.choice(EXTREMES), random.choice(("<s>", "x", "")))


def vocab(random: Random) -> Any:
    return {token: random.choice(EXTREMES) for token in ("a", "b", "", "<s>")}


def merges(random: Random) -> Any:
    return random.choice((["a b"] * 3, ["ab"], [["a", "b"]], ["x y"], [""], [["a", "b", "c"]], ["a  b"]))
