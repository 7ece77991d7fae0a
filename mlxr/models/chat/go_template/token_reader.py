"""Tokens of a Go template, taken from the front; and the variables that are known at a place."""

from __future__ import annotations

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.lexer import Token, tokens

DEEPEST = 60
"""Actions, or parentheses, within each other. No model's template has ten."""
END = Token("end", "", 0)


class TokenReader:
    """Base of the parsers. Raises ``GoTemplateError`` with the line where it stands."""

    def __init__(self, source: str) -> None:
        self._tokens = [*tokens(source), END]
        self._at = 0
        self._variables = ["$"]
        self._depth = 0

    def _require(self, name: str) -> str:
        if name not in self._variables:
            raise self._error(f"undefined variable {name[:40]!r}")
        return name

    def _close(self, what: str) -> None:
        self._skip_space()
        token = self._next()
        if token.kind != "close":
            raise self._error(f"unexpected {token.text[:40]!r} in {what}")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"it is nested more than {DEEPEST} deep")

    def _keyword_ahead(self) -> str:
        """Returns the keyword that the action ahead begins with, where it is an action."""
        if self._peek().kind != "open":
            return ""
        at = self._at + 1
        if self._tokens[at].kind == "space":
            at += 1
        return self._tokens[at].text if self._tokens[at].kind == "keyword" else ""

    def _skip_space(self) -> bool:
        skipped = self._peek().kind == "space"
        self._at += skipped
        return skipped

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token is END:
            raise self._error("unexpected EOF")
        self._at += 1
        return token

    def _error(self, message: str) -> GoTemplateError:
        return GoTemplateError(message, self._tokens[max(0, self._at - 1)].line)
