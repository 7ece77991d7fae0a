"""Whether two models have one vocabulary, so that what one of them says can be read as the other's tokens."""

from __future__ import annotations

from pathlib import Path

from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.tokenizers import load_directory, load_gguf

MOST_APART = 128
"""Ids that one vocabulary may have beyond the other's end, as llama.cpp has it: fillers, and tokens of templates that
the smaller model lacks."""


def difference(one: Path, other: Path) -> str:
    """Returns how the vocabularies of two models differ, a phrase; empty where every id that both have is the same
    token, and neither has more than ``MOST_APART`` beyond. Raises ``TokenizerError``, ``ModelFileError``."""
    if one == other:
        return ""
    tokens, others = _tokens(one), _tokens(other)
    for id, (token, another) in enumerate(zip(tokens, others, strict=False)):
        if token != another:
            return f"token {id} is {_shown(token)} of the one and {_shown(another)} of the other"
    if abs(len(tokens) - len(others)) > MOST_APART:
        return f"they have {len(tokens)} and {len(others)} tokens"
    return ""


def _tokens(path: Path) -> list[bytes]:
    tokenizer = load_gguf(GGUFFile.open(path).metadata) if holds_gguf(path) else load_directory(path)
    return [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]


def _shown(token: bytes) -> str:
    return repr(token.decode("utf-8", "replace")[:24])
