"""Chooses and builds the tokenizer that a model's files describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlxr.models.tokenizers.base import Tokenizer
from mlxr.models.tokenizers.bpe import BPETokenizer, build_merger, byte_level_bytes
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.huggingface import load_tokenizer_json
from mlxr.models.tokenizers.pretokenizers import pre_tokenizer
from mlxr.models.tokenizers.special import Lookup, TokenType, Types, gguf_special, tokens_of
from mlxr.models.tokenizers.spm import SentencePieceTokenizer, build_processor, spm_bytes, utf8
from mlxr.models.tokenizers.table import TokenTable

KINDS = ("gpt2", "llama", "gemma4")
BYTE_LEVEL_ABSENT = ("gemma4",)


def load_gguf(metadata: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a GGUF file, by the ``tokenizer.ggml.*`` keys of its metadata.

    Nothing of ``metadata`` is kept. Raises ``TokenizerError`` for a missing key or a kind mlxr lacks.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind is None:
        raise TokenizerError("the file has no tokenizer.ggml.model: it was converted without its tokenizer")
    if kind not in KINDS:
        raise TokenizerError(f"tokenizer.ggml.model is {kind!r}; mlxr knows {', '.join(KINDS)}")
    tokens: Sequence[str] = _required(metadata, "tokens")
    types = _types(metadata, len(tokens))
    return _load_spm(metadata, tokens, types) if kind == "llama" else _load_bpe(metadata, kind, tokens, types)


def load_directory(path: Path) -> Tokenizer:
    """The tokenizer of a Hugging Face model folder, by its ``tokenizer.json``. Raises ``TokenizerError``."""
    return load_tokenizer_json(path)


def _load_bpe(metadata: Mapping[str, Any], kind: str, tokens: Sequence[str], types: Types) -> Tokenizer:
    rules = pre_tokenizer(metadata.get("tokenizer.ggml.pre", "gemma4" if kind in BYTE_LEVEL_ABSENT else "default"))
    tokens = list(tokens)  # read twice
    merger = build_merger(tokens, _required(metadata, "merges"), rules)
    kinds = types.tolist()
    decoded = byte_level_bytes(tokens, kinds) if rules.byte_level else spm_bytes(utf8(tokens), kinds)
    special = gguf_special(metadata, types, merger.token_to_id, add_bos=rules.add_bos)
    return BPETokenizer(
        merger,
        TokenTable(decoded),
        special,
        user_defined={tokens[i]: i for i in tokens_of(types, TokenType.USER_DEFINED) if i not in special.control},
        control=_written(tokens, types, special.control),
    )


def _load_spm(metadata: Mapping[str, Any], tokens: Sequence[str], types: Types) -> Tokenizer:
    scores: Sequence[float] = _required(metadata, "scores")
    if len(scores) != len(tokens):
        raise TokenizerError(f"tokenizer.ggml.scores has {len(scores)} values for {len(tokens)} tokens")
    add_space_prefix = bool(metadata.get("tokenizer.ggml.add_space_prefix", True))
    unknown = metadata.get("tokenizer.ggml.unknown_token_id", 0)
    if not 0 <= unknown < len(tokens):
        raise TokenizerError(f"tokenizer.ggml.unknown_token_id is {unknown}, and there are {len(tokens)} tokens")
    processor = build_processor(utf8(tokens), scores, types, unknown=unknown, add_space_prefix=add_space_prefix)
    lookup = _spm_lookup(processor)
    special = gguf_special(metadata, types, lookup, add_bos=True)
    return SentencePieceTokenizer(
        processor,
        TokenTable(spm_bytes(utf8(tokens), types.tolist())),
        special,
        control=_written(tokens, types, special.control),
        add_space_prefix=add_space_prefix,
    )


def _spm_lookup(processor: Any) -> Lookup:
    def lookup(text: str) -> int | None:
        token = int(processor.piece_to_id(text))
        return token if processor.id_to_piece(token) == text else None

    return lookup


def _written(tokens: Sequence[str], types: Types, control: frozenset[int]) -> dict[str, int]:
    """Tokens that count as special where they are written out: what has no other way into a prompt."""
    ids = control | set(tokens_of(types, TokenType.CONTROL, TokenType.UNKNOWN))
    return {tokens[i]: i for i in sorted(ids)}


def _required(metadata: Mapping[str, Any], name: str) -> Any:
    value = metadata.get(f"tokenizer.ggml.{name}")
    if value is None or len(value) == 0:
        raise TokenizerError(f"the file has no tokenizer.ggml.{name}")
    return value


def _types(metadata: Mapping[str, Any], count: int) -> Types:
    types = metadata.get("tokenizer.ggml.token_type")
    if types is None:
        return np.full(count, TokenType.NORMAL, np.uint8)
    if len(types) != count:
        raise TokenizerError(f"tokenizer.ggml.token_type has {len(types)} values for {count} tokens")
    return np.asarray(types, np.uint8)
