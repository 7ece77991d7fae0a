"""How many tokens a model folder names, and which ids some have, without the tokenizer being made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mlxr.models.errors import AGAIN, ModelFileError
from mlxr.models.modelfile import ModelFile

MAX_FILE_BYTES = 64 << 20
MAX_NAMES = 1 << 20


class _Vocabulary(Struct):
    """``vocab``: ids by token, or a list with a place for each (Unigram)."""

    vocab: dict[str, int] | list[msgspec.Raw] = {}


class _Added(Struct):
    id: int = -1


class _Tokenizer(Struct):
    model: _Vocabulary = msgspec.field(default_factory=_Vocabulary)
    added_tokens: list[_Added] = []


def folder_tokens(folder: Path) -> int:
    """Returns one more than the highest token id in ``tokenizer.json``, added tokens included; 0 where there is no such
    file.

    Raises ``ModelFileError`` for a file of another form.
    """
    path = folder / "tokenizer.json"
    if not os.path.exists(path):
        return 0
    tokenizer = _read(path)
    vocabulary = tokenizer.model.vocab
    known = len(vocabulary) if isinstance(vocabulary, list) else 1 + max(vocabulary.values(), default=-1)
    return max(known, 1 + max((token.id for token in tokenizer.added_tokens), default=-1))


def folder_token_ids(folder: Path, names: Sequence[str]) -> list[int | None]:
    """Returns the ids of tokens in ``tokenizer.json`` that are no added ones, None for one that is not there. Raises as
    ``folder_tokens`` does."""
    path = folder / "tokenizer.json"
    vocabulary = _read(path).model.vocab if os.path.exists(path) else {}
    return [vocabulary.get(name) if isinstance(vocabulary, dict) else None for name in names]


def _read(path: Path) -> _Tokenizer:
    file = ModelFile(path)
    if file.size > MAX_FILE_BYTES:
        raise ModelFileError(path, f"has {file.size} bytes; mlxr reads at most {MAX_FILE_BYTES}")
    data = file.read(0, file.size)
    if data.count(b":") > MAX_NAMES or data.count(b"[") > MAX_NAMES:
        raise ModelFileError(path, f"names more than {MAX_NAMES} things")
    return _decoded(path, data)


def _decoded(path: Path, data: bytes) -> _Tokenizer:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Tokenizer)
    try:
        return decoder.decode(data)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(path, f"is no tokenizer: {error}; {AGAIN}") from None
