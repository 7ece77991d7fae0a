"""Colours lines of code as they come, by Pygments."""

from __future__ import annotations

from typing import Any

from mlxr.cli.run.style import Styles

MOST_LINES = 400
"""Lines above one that are looked at for what it is within: a text, a comment."""


class CodeLines:
    """Colours the lines of one block, in their order."""

    def __init__(self, language: str) -> None:
        self._lexer = _lexer(language)
        self._lines: list[str] = []

    def styled(self, line: str) -> list[tuple[str, Styles]]:
        """Returns the runs of the next line."""
        if self._lexer is None:
            return [(line, ())]
        self._lines = [*self._lines[-MOST_LINES:], line]
        runs: list[tuple[str, Styles]] = []
        at = 0
        start = sum(len(each) + 1 for each in self._lines[:-1])
        for token, text in self._lexer.get_tokens("\n".join(self._lines)):
            end = at + len(text)
            if end > start:
                runs.append((text[max(0, start - at) :].replace("\n", ""), _styles(token)))
            at = end
        return runs


def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None


def _styles(token: Any) -> Styles:
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    kinds = [
        (Comment, "comment"),
        (Keyword, "keyword"),
        (Operator.Word, "keyword"),
        (String, "string"),
        (Number, "number"),
        (Name.Function, "name"),
        (Name.Class, "name"),
        (Name.Builtin, "name"),
        (Name.Tag, "name"),
    ]
    return next(((style,) for kind, style in kinds if token in kind), ())
