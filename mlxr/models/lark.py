"""Terms of Lark grammars, as llguidance reads them: markers by token id where they are control tokens, and JSON."""

from __future__ import annotations

import json
from typing import Any

from mlxr.models.tokenizers import Tokenizer

JSON_STYLE = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "coerce_one_of": True,
}
"""How JSON is written: as ``json.dumps`` does. With white space left open, small models fill the context with it."""


class LarkTerms:
    """Writes grammar terms for ``tokenizer``'s vocabulary. ``without``: a marker that is left out, because it has come
    already."""

    def __init__(self, tokenizer: Tokenizer, without: str = "") -> None:
        self._tokenizer = tokenizer
        self._without = without

    def control(self, marker: str) -> int | None:
        """Returns the id of ``marker`` if it is a control token, which no text can spell."""
        token = self._tokenizer.token_id(marker)
        return token if token in self._tokenizer.special.control else None

    def terms(self, *pieces: str) -> str:
        """Returns ``pieces`` one after the other; a piece that names a control token is that token."""
        return " ".join(self._term(piece) for piece in pieces if piece and piece != self._without)

    def merged(self, *pieces: str) -> str:
        """Returns ``terms`` of ``pieces``, where neighbours that are text are one text."""
        joined: list[str] = []
        text = ""
        for piece in pieces:
            if self.control(piece) is None and piece != self._without:
                text += piece
            else:
                joined += [text, piece]
                text = ""
        return self.terms(*joined, text)

    def up_to(self, rule: str, marker: str) -> tuple[str, str]:
        """Returns a term for any text and the ``marker`` that ends it, and the rules it needs, named from ``rule``."""
        if self.control(marker) is not None:
            return f"{rule} {self._term(marker)}", f"{rule}: /(.|\\n)*/"
        return rule, f"{rule}[lazy]: /(.|\\n)*{in_slashes(marker)}/"

    def _term(self, piece: str) -> str:
        token = self.control(piece)
        return f"<[{token}]>" if token is not None else json.dumps(piece, ensure_ascii=False)


def in_slashes(text: str) -> str:
    """Returns ``text`` as a regular expression inside slashes."""
    return "".join(f"\\{char}" if char in r"\/.^$|?*+()[]{}" else "\\n" if char == "\n" else char for char in text)


def styled(schema: dict[str, Any] | bool) -> str:
    """Returns the JSON text of ``schema`` with ``JSON_STYLE``."""
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    return json.dumps({**schema, "x-guidance": {**JSON_STYLE, **_options(schema)}}, ensure_ascii=False)


def _options(schema: dict[str, Any]) -> dict[str, Any]:
    options = schema.get("x-guidance")
    return options if isinstance(options, dict) else {}
