"""Byte-level BPE (GPT-2's scheme) from GGUF metadata, merged by the ``tokenizers`` package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlxr.models.tokenizers.base import MarkerSplitter, TableTokenizer
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.escaping import without_escapes
from mlxr.models.tokenizers.package_errors import encoding
from mlxr.models.tokenizers.pretokenizers import PreTokenizer
from mlxr.models.tokenizers.slices import batches
from mlxr.models.tokenizers.special import SpecialTokens
from mlxr.models.tokenizers.table import TokenTable
from mlxr.models.tokenizers.token_types import TokenType

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Merger

SPACE = "▁"
VERBATIM = frozenset({TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN})
"""Tokens that are written as they are, not in byte-level characters."""


def byte_characters() -> dict[int, str]:
    """GPT-2's character for each byte: printable Latin-1 stands for itself, the rest for U+0100 onwards."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def byte_level_bytes(tokens: Iterable[str], types: Iterable[int]) -> Iterable[bytes]:
    """Yields the bytes behind byte-level tokens; special ones, and those with other characters in them, are plain
    UTF-8."""
    to_latin = {ord(char): byte for byte, char in byte_characters().items()}
    for token, type in zip(tokens, types, strict=True):
        if type in VERBATIM:
            yield token.encode("utf-8", "surrogateescape")
            continue
        try:
            yield token.translate(to_latin).encode("latin-1")
        except UnicodeEncodeError:
            yield token.encode("utf-8", "surrogateescape")


class BPETokenizer(TableTokenizer):
    """Encodes by merges; owns the package's tokenizer.

    Attributes:
        user_defined: written-out tokens that are never merged from parts.
        control: those that count only when special tokens are parsed.
        cuts: no token goes on from one word to the next.
    """

    def __init__(
        self,
        merger: Merger,
        table: TokenTable,
        special: SpecialTokens,
        *,
        user_defined: Mapping[str, int],
        control: Mapping[str, int],
        cuts: bool = True,
    ) -> None:
        super().__init__(table, special, markers=control)
        self._merger = merger
        self._cuts = cuts
        self._plain = MarkerSplitter(user_defined)
        self._special = MarkerSplitter({**user_defined, **control})

    def _pieces(self, text: str, *, parse_special: bool, escape: str) -> Iterator[list[int]]:
        parts = (self._special if parse_special else self._plain).split(text)
        if escape:
            parts = [piece for part in parts for piece in self._unescaped(part, escape)]
        for batch in batches(parts) if self._cuts else [parts]:
            words = [part for part in batch if isinstance(part, str)]
            # Only the batch calls of ``tokenizers`` let go of the GIL; the fast one leaves offsets out.
            with encoding():
                encoded = iter(self._merger.encode_batch_fast(words, add_special_tokens=False) if words else ())
            for part in batch:
                yield [part] if isinstance(part, int) else next(encoded).ids

    def _unescaped(self, part: str | int, escape: str) -> list[str | int]:
        if isinstance(part, int):
            return [part]
        plain = without_escapes(part, escape)
        # The escape character may have stood in a user-defined token as well.
        return [part] if plain == part else self._plain.split(plain)

    def token_id(self, text: str) -> int | None:
        return self._merger.token_to_id(text)


def build_merger(tokens: Sequence[str], merges: Iterable[str], rules: PreTokenizer) -> Merger:
    """Returns the ``tokenizers`` object that cuts text into words and merges them. Raises ``TokenizerError``."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    vocabulary = {token: i for i, token in enumerate(tokens)}
    pairs = [_pair(merge) for merge in merges]
    try:
        model = BPE(vocabulary, pairs, ignore_merges=rules.whole_words, byte_fallback=not rules.byte_level)
    except Exception as error:  # the package raises bare Exception
        raise TokenizerError(f"tokenizer.ggml.merges doesn't fit tokenizer.ggml.tokens: {str(error)[:200]}") from error
    merger = Tokenizer(model)
    steps: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in rules.patterns
    ]
    if rules.byte_level:
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    else:
        merger.normalizer = normalizers.Replace(" ", SPACE)
    merger.pre_tokenizer = pre_tokenizers.Sequence(steps)
    return merger


def _pair(merge: str) -> tuple[str, str]:
    # From 1 on: the left part is never empty, and may begin with a space where tokens are plain UTF-8.
    at = merge.find(" ", 1)
    if at < 0:
        raise TokenizerError(f"tokenizer.ggml.merges has {merge[:40]!r}, which is not two parts with a space between")
    return merge[:at], merge[at + 1 :]
