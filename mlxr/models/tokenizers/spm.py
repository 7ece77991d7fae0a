"""SentencePiece models from GGUF metadata: the vocabulary goes back into the ``ModelProto`` it came from.

Field numbers are those of ``sentencepiece_model.proto``. The protobuf is written by hand: four message types in a
dozen lines, against a dependency that would stay in the main process for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mlxr.models.formats.gguf.cursor import Strings
from mlxr.models.tokenizers.base import MarkerSplitter, TableTokenizer
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.escaping import without_escapes
from mlxr.models.tokenizers.package_errors import encoding
from mlxr.models.tokenizers.slices import crosses_words, slices
from mlxr.models.tokenizers.special import SpecialTokens
from mlxr.models.tokenizers.table import TokenTable
from mlxr.models.tokenizers.token_types import TokenType, Types

SPACE = "▁".encode()
MODEL_BPE = 2


class SentencePieceTokenizer(TableTokenizer):
    """``control``: written-out tokens that count when special tokens are parsed. User-defined ones always count, which
    the package itself sees to.

    As in every SentencePiece model, U+2581 in a text reads as a space. Text after a control token gets the dummy
    prefix too, as in llama.cpp.
    """

    def __init__(
        self,
        processor: Any,
        table: TokenTable,
        special: SpecialTokens,
        *,
        control: Mapping[str, int],
        add_space_prefix: bool,
    ) -> None:
        super().__init__(table, special, markers=control, strips_space=add_space_prefix)
        self._processor = processor
        self._special = MarkerSplitter(control)
        self._cuts = not crosses_words((table[token] for token in range(len(table))), b" ")

    def _pieces(self, text: str, *, parse_special: bool, escape: str) -> Iterator[list[int]]:
        for part in self._special.split(text) if parse_special else [text]:
            if isinstance(part, int):
                yield [part]
                continue
            plain = without_escapes(part, escape)
            for piece in slices(plain, drop_space=self.strips_space) if self._cuts else [plain]:
                with encoding():
                    tokens = self._processor.encode(piece)
                yield tokens

    def token_id(self, text: str) -> int | None:
        token = int(self._processor.piece_to_id(text))
        # An unknown piece comes back as the unknown token.
        return token if self._processor.id_to_piece(token) == text else None


def utf8(tokens: Iterable[str]) -> Iterable[bytes]:
    """Returns the bytes that each string is written in; a file's own strings are not decoded first."""
    return tokens.raw() if isinstance(tokens, Strings) else (t.encode("utf-8", "surrogateescape") for t in tokens)


def spm_bytes(tokens: Iterable[bytes], types: Iterable[int]) -> Iterable[bytes]:
    """Yields the bytes each piece stands for: ``<0xNN>`` of byte type is one byte, U+2581 is a space."""
    byte = int(TokenType.BYTE)
    for token, kind in zip(tokens, types, strict=True):
        if kind == byte:
            yield bytes([int(token[3:-1], 16)])
        else:
            yield token.replace(SPACE, b" ")


def build_processor(
    tokens: Sequence[str], scores: npt.NDArray[Any], types: Types, *, unknown: int, add_space_prefix: bool
) -> Any:
    """Returns a ``SentencePieceProcessor`` over the vocabulary. Raises ``TokenizerError`` where the package refuses
    it."""
    made = partial(model_proto, scores=scores, unknown=unknown, add_space_prefix=add_space_prefix)
    try:
        return _processor(made(utf8(tokens), types=types))
    except TokenizerError:
        texts, kinds = _distinct(utf8(tokens), types)
        return _processor(made(texts, types=kinds))


def _processor(proto: bytes) -> Any:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(proto)
    except (RuntimeError, ValueError, OSError) as error:
        raise TokenizerError(f"the vocabulary makes no SentencePiece model: {error}") from error
    return processor


def _distinct(tokens: Iterable[bytes], types: Types) -> tuple[list[bytes], Types]:
    """Tokens and types with others for what the package refuses: an empty token, and one that was there before (a text
    is encoded with the first of them)."""
    texts = [_escaped(token, kind) for token, kind in zip(tokens, types.tolist(), strict=True)]
    known, seen, kinds = set(texts), {b""}, types.copy()
    for at, text in enumerate(texts):
        if text not in seen:
            seen.add(text)
            continue
        texts[at] = b"[%d]" % at
        while texts[at] in known:
            texts[at] += b"]"
        kinds[at] = TokenType.CONTROL
    return texts, kinds


def _escaped(token: bytes, kind: int) -> bytes:
    """GGUF writes user-defined pieces with real spaces, SentencePiece looks for them in escaped text."""
    return token.replace(b" ", SPACE) if kind == TokenType.USER_DEFINED else token


def model_proto(
    tokens: Iterable[bytes], *, scores: npt.NDArray[Any], types: Types, unknown: int, add_space_prefix: bool
) -> bytes:
    """Returns the vocabulary as a serialized ``ModelProto``."""
    packed = scores.astype(np.float32).tobytes()
    kinds = bytearray(types.tobytes())
    # The package takes one unknown token; the others are found nowhere in a text.
    kinds = kinds.replace(bytes([TokenType.UNKNOWN]), bytes([TokenType.CONTROL]))
    kinds[unknown] = TokenType.UNKNOWN
    user_defined = int(TokenType.USER_DEFINED)
    proto = bytearray()
    for i, token in enumerate(tokens):
        text = _escaped(token, kinds[i]) if kinds[i] == user_defined else token
        size, score = len(text), packed[4 * i : 4 * i + 4]
        if size < 100:
            proto += b"\n%c\n%c%b\x15%b\x18%c" % (size + 9, size, text, score, kinds[i])
        else:
            proto += _field(1, _field(1, text) + b"\x15%b\x18%c" % (score, kinds[i]))
    byte_fallback = TokenType.BYTE in kinds
    trainer = _number(3, MODEL_BPE) + _number(35, byte_fallback) + _number(40, unknown)
    # Identity normalization: no extra-space removal, spaces escaped.
    normalizer = _field(1, b"identity") + _number(3, add_space_prefix) + _number(4, 0) + _number(5, 1)
    return bytes(proto + _field(2, trainer) + _field(3, normalizer))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)
