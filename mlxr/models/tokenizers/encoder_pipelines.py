"""Tokenizers of encoders from GGUF metadata, as pipelines of the ``tokenizers`` package.

WordPiece is BERT's (Devlin et al. 2018; GGUF calls it ``bert``), Unigram SentencePiece's (Kudo 2018; GGUF calls it
``t5``, and XLM-RoBERTa's models have it). A pipeline is what the same model's ``tokenizer.json`` would describe, so a
file and a folder give the same tokens.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.huggingface import TokenizerJson
from mlxr.models.tokenizers.special import gguf_special, tokens_of
from mlxr.models.tokenizers.table import TokenTable
from mlxr.models.tokenizers.text_expansion import growth
from mlxr.models.tokenizers.token_types import TokenType, Types
from mlxr.models.tokenizers.tokenizer_json import MOST_GROWTH, check_charsmap
from mlxr.models.tokenizers.vocabulary import flag, scores_of, token_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pipeline

SPACE = "▁"
CONTINUES = "##"
LONGEST_WORD = 100
"""Characters of a word beyond which WordPiece gives it up as unknown, as in BERT's own code."""

BERT_ROLES = {"bos": 101, "eos": 102, "unknown": 100}
T5_ROLES = {"eos": 1, "unknown": 2}
"""Ids of roles where a file names none, as in the vocabularies these kinds come from."""


def load_wordpiece(metadata: Mapping[str, Any], tokens: Sequence[str], types: Types) -> TokenizerJson:
    """BERT's tokenizer. GGUF writes a word's first piece with U+2581 before it, and the others without ``##``."""
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece

    verbatim = set(tokens_of(types, TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN))
    pieces = [_text(token) if i in verbatim else _wordpiece(_text(token)) for i, token in enumerate(tokens)]
    unknown = _role(metadata, "unknown_token_id", BERT_ROLES["unknown"], len(tokens))
    lower = flag(metadata, "normalizer.lowercase", True)
    accents = flag(metadata, "normalizer.strip_accents", lower)
    pipeline = Tokenizer(
        WordPiece(
            {piece: i for i, piece in enumerate(pieces)},
            unk_token=pieces[unknown],
            max_input_chars_per_word=LONGEST_WORD,
            continuing_subword_prefix=CONTINUES,
        )
    )
    pipeline.normalizer = normalizers.BertNormalizer(strip_accents=accents, lowercase=lower)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.decoder = decoders.WordPiece(prefix=CONTINUES)
    first = _role(metadata, "cls_token_id", BERT_ROLES["bos"], len(tokens))
    last = _role(metadata, "seperator_token_id", BERT_ROLES["eos"], len(tokens))
    decoded = (
        piece.encode() if i in verbatim else _spaced(piece).encode("utf-8", "replace") for i, piece in enumerate(pieces)
    )
    return _finished(pipeline, metadata, pieces, types, decoded, bos=first, eos=last, strips_space=True, segmented=True)


def load_unigram(metadata: Mapping[str, Any], tokens: Sequence[str], types: Types) -> TokenizerJson:
    """SentencePiece's Unigram with its normalization. Raises ``TokenizerError`` for a charsmap that makes no sense."""
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    texts = [_text(token) for token in tokens]
    scores = scores_of(metadata, len(tokens))
    unknown = _role(metadata, "unknown_token_id", T5_ROLES["unknown"], len(tokens))
    bytes_known = bool((types == TokenType.BYTE).any())
    prefix = flag(metadata, "add_space_prefix", True)
    pipeline = Tokenizer(Unigram(list(zip(texts, scores.tolist(), strict=True)), unknown, bytes_known))
    steps: list[normalizers.Normalizer] = []
    if charsmap := _charsmap(metadata):
        steps.append(normalizers.Precompiled(charsmap))
    if flag(metadata, "remove_extra_whitespaces", False):
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    pipeline.normalizer = normalizers.Sequence(steps)
    scheme = "always" if prefix else "never"
    pipeline.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    pipeline.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    decoded = (
        bytes([int(text[3:5], 16)]) if kind == TokenType.BYTE else text.replace(SPACE, " ").encode()
        for text, kind in zip(texts, types.tolist(), strict=True)
    )
    bos = token_of(metadata, "bos_token_id", len(tokens))
    eos = _role(metadata, "eos_token_id", T5_ROLES["eos"], len(tokens))
    return _finished(pipeline, metadata, texts, types, decoded, bos=bos, eos=eos, strips_space=prefix)


def _finished(
    pipeline: Pipeline,
    metadata: Mapping[str, Any],
    texts: Sequence[str],
    types: Types,
    decoded: Iterable[bytes],
    *,
    bos: int | None,
    eos: int,
    strips_space: bool,
    segmented: bool = False,
) -> TokenizerJson:
    """Returns the pipeline with its special tokens, found in text and put around it, as a tokenizer. ``segmented``: the
    second text of a pair is of another segment."""
    from tokenizers import AddedToken
    from tokenizers.processors import TemplateProcessing

    roles = {**metadata, "tokenizer.ggml.bos_token_id": bos, "tokenizer.ggml.eos_token_id": eos}
    special = gguf_special(roles, types, pipeline.token_to_id, add_bos=bos is not None, add_eos=True)
    mask = token_of(metadata, "mask_token_id", len(texts))
    control = {
        texts[i]: {"id": i, "lstrip": i == mask and strips_space and bool(texts[i].startswith("<"))}
        for i in sorted(special.control)
        if texts[i]
    }
    pipeline.add_special_tokens(
        [AddedToken(text, lstrip=entry["lstrip"], normalized=False) for text, entry in control.items()]
    )
    pipeline.add_tokens(
        [AddedToken(texts[i], normalized=False) for i in tokens_of(types, TokenType.USER_DEFINED) if texts[i]]
    )
    before = [texts[bos]] if bos is not None and special.add_bos else []
    after = [texts[eos]] if special.add_eos else []
    if before or after:
        pipeline.post_processor = TemplateProcessing(
            single=[*before, "$A", *after],
            pair=_pair(before, after, segmented),
            special_tokens=[(text, pipeline.token_to_id(text)) for text in dict.fromkeys([*before, *after])],
        )
    return TokenizerJson(pipeline, TokenTable(decoded), special, control=control, strips_space=strips_space)


def _pair(before: list[str], after: list[str], segmented: bool) -> list[str]:
    """Returns how a pair is put together: XLM-RoBERTa's ends a text twice between the two."""
    if segmented:
        return [*before, "$A", *after, "$B:1", *(f"{text}:1" for text in after)]
    doubled = after if before else []
    return [*before, "$A", *after, *doubled, "$B", *after]


def _wordpiece(token: str) -> str:
    return token[1:] if token.startswith(SPACE) else CONTINUES + token


def _spaced(piece: str) -> str:
    return piece.removeprefix(CONTINUES) if piece.startswith(CONTINUES) else " " + piece


def _role(metadata: Mapping[str, Any], name: str, usual: int, count: int) -> int:
    """Returns the id of a role that this kind of tokenizer can't do without."""
    token = token_of(metadata, name, count)
    token = usual if token is None else token
    if token >= count:
        raise TokenizerError(f"the file has no tokenizer.ggml.{name}, and no token {usual}, which is the usual one")
    return token


def _charsmap(metadata: Mapping[str, Any]) -> bytes:
    key = "tokenizer.ggml.precompiled_charsmap"
    value = metadata.get(key)
    if value is None:
        return b""
    if isinstance(value, str):
        raise TokenizerError(f"{key} is a text, not a list of bytes")
    try:
        numbers = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise TokenizerError(f"{key} is no list of bytes") from error
    if not numbers.size:
        return b""
    if numbers.ndim != 1 or not _are_bytes(numbers):
        raise TokenizerError(f"{key} is no list of bytes")
    charsmap = numbers.astype(np.uint8).tobytes()
    encoded = base64.b64encode(charsmap).decode()
    check_charsmap(encoded, key)
    if growth({"type": "Precompiled", "precompiled_charsmap": encoded}) > MOST_GROWTH:
        raise TokenizerError(f"{key} makes a text more than {MOST_GROWTH} times as long")
    return charsmap


def _are_bytes(numbers: Any) -> bool:
    return numbers.dtype.kind in "iu" and int(numbers.min()) >= -128 and int(numbers.max()) <= 255


def _text(token: str) -> str:
    """Returns the token with what is no Unicode replaced, which the package could not take."""
    return token.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
