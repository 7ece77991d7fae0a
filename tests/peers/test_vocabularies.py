"""llama.cpp's published vocabularies: every token of every published text, and of vocabularies without published texts
what llama.cpp itself makes of another's.

``PEER_SOURCES`` names llama.cpp's source tree, as ``make test-peers`` sets it.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from mlxr.models.formats.gguf import file
from mlxr.models.tokenizers import load_gguf

pytestmark = pytest.mark.peers

VOCABULARIES = Path(os.environ.get("PEER_SOURCES", ".cache/llama-cpp-python/vendor/llama.cpp")) / "models"
BETWEEN = "\n__ggml_vocab_test__\n"
PUBLISHED = (
    *(
        "bert-bge",
        "command-r",
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "gemma-4",
        "gpt-2",
        "llama-bpe",
        "llama-spm",
    ),
    *("mpt", "phi-3", "qwen2", "qwen35", "refact", "starcoder"),
)
OTHERS = ("aquila", "baichuan", "gpt-neox", "nomic-bert-moe")
"""Without published texts; some have no pre-tokenizer's name, for which llama.cpp takes its default."""


def texts(name: str) -> list[str]:
    return (VOCABULARIES / f"ggml-vocab-{name}.gguf.inp").read_text(encoding="utf-8").split(BETWEEN)


def ours(name: str, wanted: list[str]) -> list[list[int]]:
    with patch.object(file, "_require_type"):  # these files have no tensors, which a model would be refused for
        metadata = file.GGUFFile.open(VOCABULARIES / f"ggml-vocab-{name}.gguf").metadata
    tokenizer = load_gguf(metadata)
    return [tokenizer.encode(text, add_special=False, parse_special=False) for text in wanted]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_token_of_every_published_text_is_equal(name: str) -> None:
    wanted = (VOCABULARIES / f"ggml-vocab-{name}.gguf.out").read_text().splitlines()
    expected = [[int(token) for token in line.split()] for line in wanted]
    given = texts(name)[: len(expected)]
    assert len(given) == len(expected) > 40
    for text, tokens, own in zip(given, expected, ours(name, given), strict=True):
        assert own == tokens, text


@pytest.mark.parametrize("name", OTHERS)
def test_tokens_of_other_vocabularies_are_those_of_llama_cpp(name: str) -> None:
    import llama_cpp

    given = texts("gpt-2")
    path = VOCABULARIES / f"ggml-vocab-{name}.gguf"
    theirs = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for text, own in zip(given, ours(name, given), strict=True):
        assert own == theirs.tokenize(text.encode(), add_bos=False, special=False), text
