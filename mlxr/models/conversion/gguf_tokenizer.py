"""A GGUF file's tokenizer as the files that folders have: ``tokenizer.json`` and those beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlxr.models.tokenizers.bpe import SPACE, build_merger
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.load import load_gguf
from mlxr.models.tokenizers.pretokenizers import pre_tokenizer
from mlxr.models.tokenizers.special import SpecialTokens, turn_tokens
from mlxr.models.tokenizers.token_types import TokenType, Types
from mlxr.models.tokenizers.vocabulary import MAX_MERGES, MAX_TOKENS, flag, scores_of, texts, token_of, types_of

KINDS = ("gpt2", "gemma4", "llama")
TEMPLATES = "tokenizer.chat_template"


def tokenizer_files(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Returns the files of a tokenizer by their names. Raises ``TokenizerError`` for one that mlxr can't write."""
    kind = metadata.get("tokenizer.ggml.model")
    if kind not in KINDS:
        raise TokenizerError(f"its tokenizer is of the kind {str(kind)[:40]!r}; mlxr writes {', '.join(KINDS)}")
    special = load_gguf(metadata).special
    tokens = list(texts(metadata, "tokens", MAX_TOKENS))
    types = types_of(metadata, tokens)
    added = _added(tokens, types, special)
    source = _sentencepiece(metadata, tokens, types) if kind == "llama" else _byte_level(metadata, kind, tokens)
    source["added_tokens"] = added
    source["post_processor"] = _around(tokens, special)
    config = _config(metadata, tokens, special)
    ends = sorted(special.ends, key=lambda token: (token != special.eos, token))
    generation = {"bos_token_id": special.bos, "eos_token_id": ends[0] if len(ends) == 1 else ends}
    files = {
        "tokenizer.json": json.dumps(source, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=2),
        "generation_config.json": json.dumps({key: value for key, value in generation.items() if value is not None}),
    }
    template = metadata.get(TEMPLATES)
    return {**files, "chat_template.jinja": template} if isinstance(template, str) else files


def _added(tokens: Sequence[str], types: Types, special: SpecialTokens) -> list[dict[str, Any]]:
    """Tokens that are found in a text as they are written, before it is cut."""
    turns = set(turn_tokens(tokens, types, special))
    unused = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    kinds = (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.USER_DEFINED)
    return [
        {"id": id, "content": tokens[id], **unused, "special": id in turns or int(types[id]) != TokenType.USER_DEFINED}
        for id in np.flatnonzero(np.isin(types, kinds)).tolist()
    ]


def _byte_level(metadata: Mapping[str, Any], kind: str, tokens: Sequence[str]) -> dict[str, Any]:
    from tokenizers import decoders

    rules = pre_tokenizer(metadata.get("tokenizer.ggml.pre", "gemma4" if kind == "gemma4" else "default"))
    pipeline = build_merger(tokens, texts(metadata, "merges", MAX_MERGES), rules)
    pipeline.decoder = decoders.ByteLevel() if rules.byte_level else _plain_decoder(False)
    made: dict[str, Any] = json.loads(pipeline.to_str())
    return made


def _sentencepiece(metadata: Mapping[str, Any], tokens: Sequence[str], types: Types) -> dict[str, Any]:
    """SentencePiece's BPE as merges: of two neighbours those whose sum has the highest score come together first."""
    from tokenizers import Tokenizer, normalizers
    from tokenizers.models import BPE

    scores = scores_of(metadata, len(tokens))
    vocabulary = {token: id for id, token in enumerate(tokens)}
    unknown = token_of(metadata, "unknown_token_id", len(tokens)) or 0
    merges = sorted(_merges(tokens, types, vocabulary), key=lambda merge: -scores[vocabulary["".join(merge)]])
    model = BPE(vocabulary, merges, unk_token=tokens[unknown], fuse_unk=True, byte_fallback=True)
    pipeline = Tokenizer(model)
    prefix = flag(metadata, "add_space_prefix", True)
    space = normalizers.Replace(" ", SPACE)
    pipeline.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), space]) if prefix else space
    pipeline.decoder = _plain_decoder(prefix)
    made: dict[str, Any] = json.loads(pipeline.to_str())
    return made


def _merges(tokens: Sequence[str], types: Types, vocabulary: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Every way to put a piece together of two."""
    parts = {token for token, id in vocabulary.items() if types[id] == TokenType.NORMAL}
    for token in tokens:
        if token in parts:
            halves = ((token[:at], token[at:]) for at in range(1, len(token)))
            yield from sorted((two for two in halves if parts.issuperset(two)), key=lambda two: vocabulary[two[0]])


def _plain_decoder(prefix: bool) -> Any:
    from tokenizers import decoders

    steps: list[Any] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if prefix else steps)


def _around(tokens: Sequence[str], special: SpecialTokens) -> dict[str, Any] | None:
    """What is put around a text."""
    begin = [special.bos] if special.add_bos and special.bos is not None else []
    end = [special.eos] if special.add_eos and special.eos is not None else []
    if not begin and not end:
        return None

    def framed(name: str, segment: int) -> list[dict[str, Any]]:
        def token(id: int) -> dict[str, Any]:
            return {"SpecialToken": {"id": tokens[id], "type_id": segment}}

        return [*map(token, begin), {"Sequence": {"id": name, "type_id": segment}}, *map(token, end)]

    used = {tokens[id]: {"id": tokens[id], "ids": [id], "tokens": [tokens[id]]} for id in (*begin, *end)}
    pair = framed("A", 0) + framed("B", 1)
    return {"type": "TemplateProcessing", "single": framed("A", 0), "pair": pair, "special_tokens": used}


def _config(metadata: Mapping[str, Any], tokens: Sequence[str], special: SpecialTokens) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": special.add_bos,
        "add_eos_token": special.add_eos,
    }
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        id = token_of(metadata, f"{key}_token_id", len(tokens))
        if id is not None:
            config[f"{name}_token"] = tokens[id]
    if isinstance(template := metadata.get(TEMPLATES), str):
        config["chat_template"] = template
    return config
