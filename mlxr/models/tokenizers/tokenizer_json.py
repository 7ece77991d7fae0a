"""A ``tokenizer.json``, checked before the ``tokenizers`` package sees it: what the package believes of a file can cost
any amount of memory, or the process.

Every function raises ``TokenizerError`` naming the place in the file.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.text_expansion import added_ids, growth
from mlxr.runtime.regular_files import read_regular

MAX_FILE = 256 << 20
MAX_TOKENS = 1 << 22
MAX_MERGES = 1 << 23
MAX_DEPTH = 100
GAP = 1 << 16
"""Ids that a vocabulary may leave out."""
MOST_STEPS = 32
"""Steps of one stage, those within others counted. Real files have up to 10."""
MOST_GROWTH = 1024
"""Characters that all steps together may make of one. A real NFKC table has texts of 18, a byte-level step makes 2."""
MOST_ADDED = 1024
"""Ids that a post-processor may put around a text."""
STAGES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def read_source(path: Path) -> dict[str, Any]:
    """Returns the file's content."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise TokenizerError(f"{path} has {path.stat().st_size} bytes; at most {MAX_FILE} are possible")
        source = json.loads(read_regular(path, MAX_FILE))
    except FileNotFoundError:
        raise TokenizerError(f"{path.parent} has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise TokenizerError(f"{path} can't be read: {error}") from error
    except RecursionError as error:
        raise TokenizerError(f"{path} can't be read: it is nested too deeply") from error
    if not isinstance(source, dict):
        raise TokenizerError(f"{path} can't be read: it is no JSON object")
    try:
        _check(source)
    except TokenizerError as error:
        raise TokenizerError(f"{path} can't be read: {error}") from error
    return source


def _check(source: dict[str, Any]) -> None:
    model = source.get("model")
    if not isinstance(model, dict):
        raise TokenizerError("`model` is no object")
    vocabulary = model.get("vocab", {})
    if not isinstance(vocabulary, dict | list):
        raise TokenizerError("`model.vocab` is no object and no list")
    added = source.get("added_tokens") or []
    if not isinstance(added, list):
        raise TokenizerError("`added_tokens` is no list")
    count = len(vocabulary) + len(added)
    if count > MAX_TOKENS:
        raise TokenizerError(f"it has {count} tokens; at most {MAX_TOKENS} are possible")
    if isinstance(vocabulary, dict):
        for token, id in vocabulary.items():
            _check_id(id, count, f"`model.vocab[{token[:40]!r}]`")
    else:
        _check_pieces(vocabulary)
    for at, entry in enumerate(added):
        _check_added(entry, count, f"`added_tokens[{at}]`")
    merges = model.get("merges") or []
    if not isinstance(merges, list) or len(merges) > MAX_MERGES:
        raise TokenizerError(f"`model.merges` is no list of at most {MAX_MERGES}")
    unknown = model.get("unk_id")
    if unknown is not None:
        _check_id(unknown, count, "`model.unk_id`")
    grown = 1
    for stage in STAGES:
        grown = _check_stage(source.get(stage), stage, count, grown)


def _check_stage(value: Any, stage: str, count: int, grown: int) -> int:
    """Returns how many characters one may have become after the stage; ``grown``: before it."""
    steps = added = 0
    for step, place in _steps(value, f"`{stage}`", 0):
        _check_step(step, count, place)
        steps += "type" in step and step["type"] != "Sequence"
        if steps > MOST_STEPS:
            raise TokenizerError(f"`{stage}` has more than {MOST_STEPS} steps")
        grown *= growth(step)
        if grown > MOST_GROWTH:
            raise TokenizerError(f"`{stage}` has steps that make a text more than {MOST_GROWTH} times as long")
        added += added_ids(step)
        if added > MOST_ADDED:
            raise TokenizerError(f"`{stage}` puts more than {MOST_ADDED} tokens around every text")
    return grown


def _check_id(id: Any, count: int, place: str) -> None:
    if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id < count + GAP:
        raise TokenizerError(f"{place} is {str(id)[:40]}, which is no id for one of {count} tokens")


def _check_pieces(pieces: list[Any]) -> None:
    for at, piece in enumerate(pieces):
        if not isinstance(piece, list) or len(piece) != 2 or not isinstance(piece[0], str):
            raise TokenizerError(f"`model.vocab[{at}]` is no piece with its score")
        if not isinstance(piece[1], int | float) or piece[1] != piece[1]:
            raise TokenizerError(f"`model.vocab[{at}]` has the score {str(piece[1])[:40]}")


def _check_added(entry: Any, count: int, place: str) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("content"), str):
        raise TokenizerError(f"{place} has no content")
    _check_id(entry.get("id"), count, f"{place}.id")


def _steps(value: Any, place: str, depth: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object in a stage, with its place."""
    if depth > MAX_DEPTH:
        raise TokenizerError(f"{place} is nested too deeply")
    if isinstance(value, dict):
        yield value, place
        for key, inner in value.items():
            yield from _steps(inner, f"{place}.{key[:40]}" if depth < 4 else place, depth + 1)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _steps(inner, f"{place}[{at}]" if depth < 4 else place, depth + 1)


def _check_step(step: dict[str, Any], count: int, place: str) -> None:
    if "precompiled_charsmap" in step:
        check_charsmap(step["precompiled_charsmap"], f"{place}.precompiled_charsmap")
    # Ids that a post-processor puts around a text.
    ids = step.get("ids")
    for id in ids if isinstance(ids, list) else []:
        _check_id(id, count, f"{place}.ids")
    for role in ("sep", "cls"):
        pair = step.get(role)
        if isinstance(pair, list) and len(pair) == 2:
            _check_id(pair[1], count, f"{place}.{role}")


def check_charsmap(encoded: Any, place: str) -> None:
    """SentencePiece's compiled normalization: the size of a trie in bytes, the trie in words of four, and the texts
    that its leaves point to."""
    if encoded is None:
        return
    if not isinstance(encoded, str):
        raise TokenizerError(f"{place} is no text")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenizerError(f"{place} is no base64: {error}") from error
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or size == 0 or size > len(data) - 4:
        raise TokenizerError(f"{place} claims a trie of {size} bytes in {len(data)}")
    try:
        data[4 + size :].decode()
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{place} has texts that are not UTF-8") from error
