"""A folder's tokenizer as GGUF metadata (``tokenizer.ggml.*``), as llama.cpp's converter writes it.

Which tokens stand for what (BOS, EOS, ...), merges and the chat template are read by the ``gguf`` package's
``SpecialVocab``; the tokens themselves by the ``tokenizers`` and ``sentencepiece`` packages.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlxr.models.conversion.pre_tokenizer_names import pre_tokenizer_of, steps_of
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.token_types import TokenType
from mlxr.models.tokenizers.tokenizer_json import read_source

if TYPE_CHECKING:
    from gguf import GGUFWriter

SPACE = "▁"
PADDING_SCORE, ADDED_SCORE = -10000.0, -1000.0
SENTENCEPIECE_FILE = "tokenizer.model"
_UNSPECIAL_CONTROL = ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
"""Tokens that count as control tokens although their files do not say so."""


class Vocabulary(NamedTuple):
    """``kind``: GGUF's ``tokenizer.ggml.model``. ``pre``: how texts are cut before. ``scores``: none for BPE."""

    kind: str
    pre: str
    tokens: Sequence[str]
    types: Sequence[int]
    scores: Sequence[float] = ()


GEMMA4 = "gemma4"
"""GGUF's name for Gemma 4's vocabularies: SentencePiece's tokens with the merges of a ``tokenizer.json``."""
SHOWN = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>')
"""Tokens of Gemma 4 that are written as texts, since what it thinks and calls stands between them."""


def add_vocabulary(
    writer: GGUFWriter, folder: Path, config: Mapping[str, Any], sentencepiece: bool, kind: str = ""
) -> None:
    """Tells ``writer`` of the tokenizer in ``folder``. ``sentencepiece``: whether a SentencePiece model comes first.
    ``kind``: the family's own one, ``GEMMA4``. Raises ``TokenizerError`` for one that GGUF files can't hold."""
    from gguf import SpecialVocab

    if kind == GEMMA4:
        made = _gemma4(read_source(folder / "tokenizer.json"), config)
        writer.add_add_space_prefix(False)
    elif sentencepiece and (folder / SENTENCEPIECE_FILE).is_file():
        made = _of_sentencepiece(folder, config)
    else:
        source = read_source(folder / "tokenizer.json")
        made = _of_tokenizer_json(writer, folder, source, config)
    writer.add_tokenizer_model(made.kind)
    if made.pre:
        writer.add_tokenizer_pre(made.pre)
    writer.add_token_list(made.tokens)
    if made.scores:
        writer.add_token_scores(made.scores)
    writer.add_token_types(made.types)
    try:
        special = SpecialVocab(folder, load_merges=made.kind in ("gpt2", GEMMA4), n_vocab=len(made.tokens))
    except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise TokenizerError(f"the tokenizer's files in {folder} can't be read: {error}") from None
    special.add_to_gguf(writer, quiet=True)
    if kind == GEMMA4:
        writer.add_add_bos_token(True)


def _of_tokenizer_json(
    writer: GGUFWriter, folder: Path, source: Mapping[str, Any], config: Mapping[str, Any]
) -> Vocabulary:
    model = source["model"]
    kind = model.get("type") or ("BPE" if "merges" in model else "WordPiece")
    if kind == "BPE" and model.get("byte_fallback"):
        writer.add_add_space_prefix(_adds_space(source))
        return _sentencepiece_bpe(source, config)
    if kind == "BPE":
        tokens, types = _tokens(source, config)
        return Vocabulary("gpt2", pre_tokenizer_of(source), tokens, types)
    if kind == "WordPiece":
        tokens, types = _tokens(source, config)
        writer.add_token_type_count(config.get("type_vocab_size", 1))
        for step in steps_of(source.get("normalizer")):
            if isinstance(step.get("lowercase"), bool):
                writer.add_bool("tokenizer.ggml.normalizer.lowercase", step["lowercase"])
        phantom = [_phantom(token, type) for token, type in zip(tokens, types, strict=True)]
        return Vocabulary("bert", "jina-v2-en", phantom, types)
    if kind == "Unigram":
        return _unigram(writer, source, config)
    raise TokenizerError(f"the tokenizer in {folder} is of the kind {str(kind)[:40]!r}, which no GGUF file holds")


def _entries(source: Mapping[str, Any]) -> tuple[dict[int, str], dict[int, Mapping[str, Any]]]:
    """All tokens by their ids, and what is said of those that were added."""
    vocabulary = source["model"].get("vocab", {})
    if isinstance(vocabulary, dict):
        tokens = {id: token for token, id in vocabulary.items()}
    else:
        tokens = {id: piece[0] for id, piece in enumerate(vocabulary)}
    added = {entry["id"]: entry for entry in source.get("added_tokens") or []}
    return {**tokens, **{id: entry["content"] for id, entry in added.items()}}, added


def _count(tokens: Mapping[int, str], config: Mapping[str, Any]) -> int:
    return max(int(config.get("vocab_size") or 0), max(tokens, default=-1) + 1)


def _tokens(source: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """Tokens in the order of their ids, with gaps filled, and the type of each."""
    tokens, added = _entries(source)
    texts: list[str] = []
    types: list[int] = []
    for id in range(_count(tokens, config)):
        if id not in tokens:
            texts.append(f"[PAD{id}]")
            types.append(TokenType.UNUSED)
            continue
        text, entry = tokens[id], added.get(id)
        texts.append(text if entry is None or _is_control(entry) else text.replace(SPACE, " "))
        types.append(_type(entry))
    return texts, types


def _type(entry: Mapping[str, Any] | None) -> int:
    if entry is None:
        return TokenType.NORMAL
    return TokenType.CONTROL if _is_control(entry) else TokenType.USER_DEFINED


def _is_control(entry: Mapping[str, Any]) -> bool:
    text = entry["content"]
    framed = [("<|", "|>"), ("<｜", "｜>"), ("<unused", ">")]
    return bool(
        entry.get("special")
        or text in _UNSPECIAL_CONTROL
        or any(text.startswith(begin) and text.endswith(end) for begin, end in framed)
    )


def _phantom(token: str, type: int) -> str:
    """A WordPiece token as GGUF has it: what begins a word is marked there, and here what goes on with one."""
    if type == TokenType.CONTROL:
        return token
    return token[2:] if token.startswith("##") else SPACE + token


def _of_sentencepiece(folder: Path, config: Mapping[str, Any]) -> Vocabulary:
    from sentencepiece import SentencePieceProcessor

    path = folder / SENTENCEPIECE_FILE
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromFile(str(path))
    except (RuntimeError, OSError) as error:
        raise TokenizerError(f"{path} can't be read: {error}") from None
    kinds: tuple[tuple[Callable[[int], bool], int], ...] = (
        (processor.IsUnknown, TokenType.UNKNOWN),
        (processor.IsControl, TokenType.CONTROL),
        (processor.IsUnused, TokenType.UNUSED),
        (processor.IsByte, TokenType.BYTE),
    )
    count = int(config.get("vocab_size") or processor.vocab_size())
    tokens = [f"[PAD{id}]" for id in range(count)]
    scores, types = [PADDING_SCORE] * count, [int(TokenType.UNUSED)] * count
    for id in range(min(count, processor.vocab_size())):
        tokens[id], scores[id] = processor.IdToPiece(id), processor.GetScore(id)
        types[id] = next((type for holds, type in kinds if holds(id)), TokenType.NORMAL)
    for id, entry in _added_beside(folder).items():
        if id < count:
            control = _is_control(entry) if "special" in entry else False
            tokens[id] = entry["content"] if control else entry["content"].replace(SPACE, " ")
            scores[id], types[id] = ADDED_SCORE, TokenType.CONTROL if control else TokenType.USER_DEFINED
    return Vocabulary("llama", "default", tokens, types, scores)


def _added_beside(folder: Path) -> dict[int, dict[str, Any]]:
    """Tokens that a folder adds to its SentencePiece model, by their ids."""
    found: dict[int, dict[str, Any]] = {}
    added, settings = folder / "added_tokens.json", folder / "tokenizer_config.json"
    try:
        if added.is_file():
            found |= {int(id): {"content": text} for text, id in json.loads(added.read_text()).items()}
        if settings.is_file():
            listed = json.loads(settings.read_text()).get("added_tokens_decoder", {})
            found |= {int(id): {"special": False, **entry} for id, entry in listed.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise TokenizerError(f"the tokenizer's files in {folder} can't be read: {error}") from None
    return found


def _sentencepiece_bpe(source: Mapping[str, Any], config: Mapping[str, Any]) -> Vocabulary:
    """SentencePiece's BPE in a ``tokenizer.json``: what is merged first has the highest score."""
    tokens, added = _entries(source)
    pairs = source["model"].get("merges") or []
    merged = ["".join(pair.split(" ", 1) if isinstance(pair, str) else pair) for pair in pairs]
    rank: dict[str, int] = {}
    for place, text in enumerate(merged):
        rank.setdefault(text, place)
    unknown = source["model"].get("unk_token")
    texts: list[str] = []
    types, scores = [], []
    for id in range(_count(tokens, config)):
        text = tokens.get(id, "")
        if id not in tokens:
            texts.append(f"[PAD{id}]")
            types.append(int(TokenType.UNUSED))
            scores.append(PADDING_SCORE)
            continue
        entry = added.get(id)
        type = _type(entry)
        if text == unknown:
            type = TokenType.UNKNOWN
        elif entry is None and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            type = TokenType.BYTE
        texts.append(text if type != TokenType.USER_DEFINED else text.replace(SPACE, " "))
        types.append(int(type))
        scores.append(0.0 if type != TokenType.NORMAL else -float(rank.get(text, len(merged))))
    return Vocabulary("llama", "default", texts, types, scores)


def _gemma4(source: Mapping[str, Any], config: Mapping[str, Any]) -> Vocabulary:
    tokens, added = _entries(source)
    texts = [tokens.get(id, f"[PAD{id}]") for id in range(_count(tokens, config))]
    types = []
    for id, text in enumerate(texts):
        entry = added.get(id)
        if id not in tokens:
            types.append(TokenType.UNUSED)
        elif text in SHOWN:
            types.append(TokenType.USER_DEFINED)
        elif len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            types.append(TokenType.BYTE)
        elif entry is not None and entry.get("special"):
            types.append(TokenType.CONTROL)
        else:
            types.append(TokenType.NORMAL if entry is None else TokenType.USER_DEFINED)
    return Vocabulary(GEMMA4, "", texts, types, [ADDED_SCORE] * len(texts))


def _adds_space(source: Mapping[str, Any]) -> bool:
    """Whether a text begins with a space that nobody wrote."""
    steps = steps_of(source.get("normalizer")) + steps_of(source.get("pre_tokenizer"))
    return any(
        step.get("type") == "Prepend"
        or step.get("prepend_scheme") in ("first", "always")
        or step.get("add_prefix_space")
        for step in steps
    )


def _unigram(writer: GGUFWriter, source: Mapping[str, Any], config: Mapping[str, Any]) -> Vocabulary:
    pieces, added = source["model"]["vocab"], _entries(source)[1]
    unknown = source["model"].get("unk_id")
    count = max(len(pieces), _count(_entries(source)[0], config))
    texts, types, scores = [], [], []
    for id in range(count):
        extra = added[id]["content"] if id in added else f"[PAD{id}]"
        text, score = pieces[id] if id < len(pieces) else (extra, 0.0)
        type = _type(added.get(id)) if id in added or id < len(pieces) else TokenType.UNUSED
        texts.append(text)
        scores.append(float(score))
        types.append(int(TokenType.UNKNOWN if id == unknown else type))
    for step in steps_of(source.get("normalizer")):
        if step.get("precompiled_charsmap"):
            writer.add_precompiled_charsmap(base64.b64decode(step["precompiled_charsmap"]))
    writer.add_add_space_prefix(_adds_space(source))
    writer.add_token_type_count(config.get("type_vocab_size", 1))
    writer.add_remove_extra_whitespaces(True)
    return Vocabulary("t5", "default", texts, types, scores)
