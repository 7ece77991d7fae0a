"""Chooses and builds the tokenizer that a model's files describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlxr.models.tokenizers.base import Tokenizer
from mlxr.models.tokenizers.bpe import BPETokenizer, build_merger, byte_level_bytes
from mlxr.models.tokenizers.encoder_pipelines import load_unigram, load_wordpiece
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.huggingface import load_tokenizer_json
from mlxr.models.tokenizers.package_errors import loading
from mlxr.models.tokenizers.pretokenizers import pre_tokenizer
from mlxr.models.tokenizers.slices import crosses_words
from mlxr.models.tokenizers.special import Lookup, gguf_special, tokens_of, turn_tokens
from mlxr.models.tokenizers.spm import SPACE, SentencePieceTokenizer, build_processor, spm_bytes, utf8
from mlxr.models.tokenizers.table import TokenTable
from mlxr.models.tokenizers.token_types import TokenType, Types
from mlxr.models.tokenizers.vocabulary import MAX_MERGES, MAX_TOKENS, flag, scores_of, texts, token_of, types_of

KINDS = ("gpt2", "llama", "gemma4", "bert", "t5")
BYTE_LEVEL_ABSENT = ("gemma4",)


def load_gguf(metadata: Mapping[str, Any]) -> Tokenizer:
    """Returns the tokenizer of a GGUF file, by the ``tokenizer.ggml.*`` keys of its metadata.

    Nothing of ``metadata`` is kept. Raises ``TokenizerError`` for a missing key, one that makes no sense, or a kind
    mlxr lacks.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind is None:
        raise TokenizerError("the file has no tokenizer.ggml.model: it was converted without its tokenizer")
    if kind not in KINDS:
        raise TokenizerError(f"tokenizer.ggml.model is {str(kind)[:40]!r}; mlxr knows {', '.join(KINDS)}")
    with loading("the vocabulary (tokenizer.ggml.*)"):
        tokens = texts(metadata, "tokens", MAX_TOKENS)
        types = types_of(metadata, tokens)
        match kind:
            case "llama":
                return _load_spm(metadata, tokens, types)
            case "bert":
                return load_wordpiece(metadata, tokens, types)
            case "t5":
                return load_unigram(metadata, tokens, types)
            case _:
                return _load_bpe(metadata, kind, tokens, types)


def load_directory(path: Path) -> Tokenizer:
    """Returns the tokenizer of a Hugging Face model folder, by its ``tokenizer.json``. Raises ``TokenizerError``."""
    with loading(f"the tokenizer in {path}"):
        return load_tokenizer_json(path)


def _load_bpe(metadata: Mapping[str, Any], kind: str, tokens: Sequence[str], types: Types) -> Tokenizer:
    rules = pre_tokenizer(metadata.get("tokenizer.ggml.pre", "gemma4" if kind in BYTE_LEVEL_ABSENT else "default"))
    tokens = list(tokens)  # read twice
    merger = build_merger(tokens, texts(metadata, "merges", MAX_MERGES), rules)
    kinds = types.tolist()
    decoded = byte_level_bytes(tokens, kinds) if rules.byte_level else spm_bytes(utf8(tokens), kinds)
    special = gguf_special(metadata, types, merger.token_to_id, add_bos=rules.add_bos)
    turns = turn_tokens(tokens, types, special)
    return BPETokenizer(
        merger,
        TokenTable(decoded),
        special,
        user_defined={tokens[i]: i for i in tokens_of(types, TokenType.USER_DEFINED) if i not in turns},
        control=_written(tokens, types, special.control.union(turns)),
        cuts=rules.byte_level or not crosses_words(utf8(tokens), SPACE),
    )


def _load_spm(metadata: Mapping[str, Any], tokens: Sequence[str], types: Types) -> Tokenizer:
    scores = scores_of(metadata, len(tokens))
    add_space_prefix = flag(metadata, "add_space_prefix", True)
    unknown = token_of(metadata, "unknown_token_id", len(tokens)) or 0
    processor = build_processor(tokens, scores, types, unknown=unknown, add_space_prefix=add_space_prefix)
    special = gguf_special(metadata, types, _spm_lookup(processor), add_bos=True)
    turns = turn_tokens(tokens, types, special)
    if turns:
        # The package would find them in any text. As control tokens they are found where they are asked for.
        types = types.copy()
        types[turns] = TokenType.CONTROL
        processor = build_processor(tokens, scores, types, unknown=unknown, add_space_prefix=add_space_prefix)
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
    """Returns the tokens that count as special where they are written out: what has no other way into a prompt."""
    ids = control | set(tokens_of(types, TokenType.CONTROL, TokenType.UNKNOWN))
    return {tokens[i]: i for i in sorted(ids)}
