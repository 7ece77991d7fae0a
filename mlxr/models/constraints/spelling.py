"""Markers in Lark: by token id where a marker is a control token, as text where it is not."""

from __future__ import annotations

import json

from mlxr.models.tokenizers import Tokenizer


class Spelling:
    """Writes grammar terms for ``tokenizer``'s vocabulary. ``without``: a marker that is left out, because it has come
    already."""

    def __init__(self, tokenizer: Tokenizer, without: str = "") -> None:
        self._tokenizer = tokenizer
        self._without = without

    def control(self, marker: str) -> int | None:
        """Id of ``marker`` if it is a control token, which no text can spell."""
        token = self._tokenizer.token_id(marker)
        return token if token in self._tokenizer.special.control else None

    def terms(self, *pieces: str) -> str:
        """``pieces`` one after the other; a piece that names a control token is that token."""
        return " ".join(self._term(piece) for piece in pieces if piece and piece != self._without)

    def up_to(self, rule: str, marker: str) -> tuple[str, str]:
        """A term for any text and the ``marker`` that ends it, and the rules it needs, under names from ``rule``."""
        if self.control(marker) is not None:
            return f"{rule} {self._term(marker)}", f"{rule}: /(.|\\n)*/"
        ending = in_slashes(marker)
        return rule, f"{rule}[lazy]: /(.|\\n)*{ending}/"

    def _term(self, piece: str) -> str:
        token = self.control(piece)
        return f"<[{token}]>" if token is not None else json.dumps(piece, ensure_ascii=False)


def in_slashes(text: str) -> str:
    """``text`` as a regular expression inside slashes."""
    return "".join(f"\\{char}" if char in r"\/.^$|?*+()[]{}" else "\\n" if char == "\n" else char for char in text)
