"""The ``tokenizer.ggml.*`` keys of a GGUF file, checked before anything is built from them.

Every function raises ``TokenizerError`` naming the key, and the entry, that makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlxr.models.formats.gguf.cursor import Strings
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.token_types import TokenType, Types

MAX_TOKENS = 1 << 22
MAX_MERGES = 1 << 23
MAX_TOKEN_BYTES = 1 << 16
NONE = 0xFFFFFFFF
"""How converters write a role that no token has."""


def texts(metadata: Mapping[str, Any], name: str, most: int) -> Sequence[str]:
    """Returns a list of strings, no more than ``most``, none of them huge."""
    key = f"tokenizer.ggml.{name}"
    value = metadata.get(key)
    if not isinstance(value, Strings | list | tuple):
        if value is None:
            raise TokenizerError(f"the file has no {key}")
        raise TokenizerError(f"{key} is no list of strings")
    if not value:
        raise TokenizerError(f"the file has no {key}")
    if len(value) > most:
        raise TokenizerError(f"{key} has {len(value)} entries; at most {most} are possible")
    lengths = value.lengths if isinstance(value, Strings) else _lengths(key, value)
    if (longest := int(np.max(lengths))) > MAX_TOKEN_BYTES:
        at = int(np.argmax(lengths))
        raise TokenizerError(f"{key}[{at}] has {longest} bytes; at most {MAX_TOKEN_BYTES} are possible")
    return value


def _lengths(key: str, value: Sequence[Any]) -> list[int]:
    for at, text in enumerate(value):
        if not isinstance(text, str):
            raise TokenizerError(f"{key}[{at}] is no string")
    return [len(text) for text in value]


def types_of(metadata: Mapping[str, Any], tokens: Sequence[str]) -> Types:
    """Returns the type of every token; normal ones where the file says nothing."""
    key, count = "tokenizer.ggml.token_type", len(tokens)
    if key not in metadata:
        return np.full(count, TokenType.NORMAL, np.uint8)
    types = _numbers(metadata, key, count)
    if types.dtype.kind not in "iu":
        raise TokenizerError(f"{key} is no list of integers")
    unknown = np.flatnonzero((types < min(TokenType)) | (types > max(TokenType)))
    # llama.cpp's 0 is a type nobody set.
    unknown = unknown[types[unknown] != 0]
    if unknown.size:
        raise TokenizerError(f"{key}[{unknown[0]}] is {types[unknown[0]]}; token types are 1 to {max(TokenType)}")
    kinds = types.astype(np.uint8)
    kinds[kinds == 0] = TokenType.NORMAL
    for at in np.flatnonzero(kinds == TokenType.BYTE).tolist():
        if not _is_byte(tokens[at]):
            raise TokenizerError(
                f"tokenizer.ggml.tokens[{at}] is {tokens[at][:40]!r}, and of a byte's type: not <0xNN>"
            )
    return kinds


def scores_of(metadata: Mapping[str, Any], count: int) -> npt.NDArray[Any]:
    key = "tokenizer.ggml.scores"
    if metadata.get(key) is None:
        raise TokenizerError(f"the file has no {key}")
    scores = _numbers(metadata, key, count)
    absurd = np.flatnonzero(~np.isfinite(scores))
    if absurd.size:
        raise TokenizerError(f"{key}[{absurd[0]}] is {scores[absurd[0]]}")
    return scores


def token_of(metadata: Mapping[str, Any], name: str, count: int) -> int | None:
    """Returns the id at ``name``, or None where the file has none."""
    key = f"tokenizer.ggml.{name}"
    value = metadata.get(key)
    if value is None or value in (NONE, -1):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise TokenizerError(f"{key} is {value!r}, and there are {count} tokens")
    return value


def flag(metadata: Mapping[str, Any], name: str, default: bool) -> bool:
    key = f"tokenizer.ggml.{name}"
    value = metadata.get(key, default)
    if not isinstance(value, int):
        raise TokenizerError(f"{key} is {value!r}, which is neither true nor false")
    return bool(value)


def _numbers(metadata: Mapping[str, Any], key: str, count: int) -> npt.NDArray[Any]:
    value = metadata[key]
    if isinstance(value, Strings | str) or not isinstance(value, np.ndarray | list | tuple):
        raise TokenizerError(f"{key} is no list of numbers")
    try:
        numbers = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise TokenizerError(f"{key} is no list of numbers") from error
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iuf"):
        raise TokenizerError(f"{key} is no list of numbers")
    if len(numbers) != count:
        raise TokenizerError(f"{key} has {len(numbers)} values for {count} tokens")
    return numbers


def _is_byte(token: str) -> bool:
    if len(token) != 6 or not token.startswith("<0x") or not token.endswith(">"):
        return False
    return all(digit in "0123456789abcdefABCDEF" for digit in token[3:5])
