"""How the named pre-tokenizers cut text, over a vocabulary of single bytes that never merges."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, pre_tokenizers

from mlxr.models.tokenizers.bpe import build_merger, byte_characters
from mlxr.models.tokenizers.pretokenizers import PRE_TOKENIZERS, pre_tokenizer


def words(name: str, text: str) -> list[str]:
    """The pieces that ``name`` cuts ``text`` into."""
    merger: Tokenizer = build_merger(list(byte_characters().values()), [], pre_tokenizer(name))
    assert isinstance(merger.pre_tokenizer, pre_tokenizers.PreTokenizer)
    raw = text.encode()
    to_byte = {char: byte for byte, char in byte_characters().items()}
    pieces = [piece for piece, _ in merger.pre_tokenizer.pre_tokenize_str(text)]
    cut = [bytes(to_byte[char] for char in piece) for piece in pieces]
    assert b"".join(cut) == raw
    return [piece.decode() for piece in cut]


SENTENCE = "I'LL pay 12345 won\n\n  now"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-2", ["I", "'", "LL", " pay", " 12345", " won", "\n\n ", " now"]),
        ("smollm", ["I", "'", "LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n\n ", " now"]),
        ("llama-bpe", ["I", "'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("qwen2", ["I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n\n", " ", " now"]),
        ("tekken", ["I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n\n", " ", " now"]),
        ("gpt-4o", ["I'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("deepseek-v3", ["I", "'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("afmoe", ["I", "'LL", " pay", " ", "12", "345", " won", "\n\n", " ", " now"]),
        ("minicpm5", ["I", "'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("laguna", ["I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n\n", " ", " now"]),
        ("jais-2", ["I", "'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("youtu", ["I'LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n\n", " ", " now"]),
        ("granite-embed-multi-97m", ["I'LL", " pay", " ", "123", "45", " won", "\n\n", " ", " now"]),
        ("deepseek-coder", ["I", "'", "LL", " pay", " ", "1", "2", "3", "4", "5", " won", "\n", "\n", " ", " now"]),
        ("deepseek-llm", ["I", "'", "LL", " pay", " ", "12345", " won", "\n", "\n", " ", " now"]),
    ],
)
def test_a_pre_tokenizer_cuts_as_its_models_do(name: str, expected: list[str]) -> None:
    assert words(name, SENTENCE) == expected


@pytest.mark.parametrize("name", sorted(name for name, rules in PRE_TOKENIZERS.items() if rules.byte_level))
def test_every_pre_tokenizer_keeps_every_byte(name: str) -> None:
    text = "A\tz  x²½ 1,234.5 — naïve 日本語 한국어 हिन्दी 🙂'tis\r\n\n e\u0301"
    assert "".join(words(name, text)) == text


def test_sarvam_cuts_lines_alone_as_gemma_4_does() -> None:
    assert pre_tokenizer("sarvam-moe") == pre_tokenizer("gemma4")


def test_runs_of_digits_are_cut_by_three_from_their_end() -> None:
    assert words("afmoe", "1234567 12 3456日本") == ["1", "234", "567", " ", "12", " ", "3", "456", "日本"]
