"""Cuts a Go template into tokens, by the rules of Go's ``text/template/parse``.

An action's space is a token of its own: ``.A .B`` is two words, ``.A.B`` is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mlxr.models.chat.go_template.errors import GoTemplateError

SPACE = " \t\r\n"
LEFT, RIGHT = "{{", "}}"
COMMENT_ENDS = re.compile(r"\*/")
COMMENT_CLOSES = re.compile(r"(?:[ \t\r\n]-)?\}\}")
KEYWORDS = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with", "true", "false"}
)
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<declare>:=)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\.)*')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)
        (?:[eE][+-]?[0-9]+)?))
  | (?P<variable>\$\w*)
  | (?P<field>\.(?!\d)\w+)
  | (?P<dot>\.)
  | (?P<word>[^\W\d]\w*)
  | (?P<mark>[=|(),])
    """,
    re.VERBOSE | re.DOTALL,
)
_TERMINATES = frozenset(SPACE + ".,|:)(")
"""What may stand behind a word."""


class Token(NamedTuple):
    """A piece of a template.

    kind: ``text``, ``open`` and ``close`` around an action, ``keyword``, or a name of a group in ``_TOKEN``.
    """

    kind: str
    text: str
    line: int


def tokens(source: str) -> Iterator[Token]:
    """Yields the template's tokens. Raises ``GoTemplateError`` where it is none."""
    at, line, trim = 0, 1, False
    while True:
        start = source.find(LEFT, at)
        text = source[at:] if start < 0 else source[at:start]
        shown = text.lstrip(SPACE) if trim else text
        if start >= 0 and _trims_left(source, start):
            shown = shown.rstrip(SPACE)
        if shown:
            yield Token("text", shown, line)
        if start < 0:
            return
        line += text.count("\n")
        begin = start + (3 if _trims_left(source, start) else 2)
        opened = begin
        while opened < len(source) and source[opened] in SPACE and _trims_left(source, start):
            opened += 1
        if source.startswith("/*", opened):
            at, trim = _comment(source, opened, line)
            line += source.count("\n", start, at)
            continue
        yield Token("open", LEFT, line)
        inside = _Action(source, begin, line)
        yield from inside.tokens()
        yield Token("close", RIGHT, inside.line)
        at, line, trim = inside.at, inside.line, inside.trims


def _trims_left(source: str, start: int) -> bool:
    return source.startswith("-", start + 2) and source[start + 3 : start + 4] in tuple(SPACE)


def _comment(source: str, start: int, line: int) -> tuple[int, bool]:
    """Returns where the text behind the comment begins, and whether its space is dropped."""
    ends = COMMENT_ENDS.search(source, start + 2)
    if ends is None:
        raise GoTemplateError("a comment is not closed", line)
    closes = COMMENT_CLOSES.match(source, ends.end())
    if closes is None:
        raise GoTemplateError("a comment ends before its action is closed: write {{/* ... */}}", line)
    return closes.end(), len(closes[0]) > len(RIGHT)


class _Action:
    """The inside of one action. ``at``: behind its end, once it is read; ``trims``: the space behind it is dropped."""

    def __init__(self, source: str, at: int, line: int) -> None:
        self._source = source
        self.at = at
        self.line = line
        self.trims = False

    def tokens(self) -> Iterator[Token]:
        source, depth = self._source, 0
        while not self._closes():
            found = _TOKEN.match(source, self.at)
            if found is None:
                raise GoTemplateError(self._fault(), self.line)
            kind, text = str(found.lastgroup), found[0]
            if kind == "space" and self._trimmed_close(found.end()):
                return
            if kind == "mark":
                depth += {"(": 1, ")": -1}.get(text, 0)
                if depth < 0:
                    raise GoTemplateError("there is a ) too many", self.line)
            self.at = found.end()
            if kind in ("variable", "field", "word", "number"):
                self._check_end(text, kind)
            if kind == "word" and text in KEYWORDS:
                kind = "keyword"
            yield Token(kind, text, self.line)
            self.line += text.count("\n")
        if depth:
            raise GoTemplateError("a ( is not closed", self.line)

    def _closes(self) -> bool:
        if self._source.startswith(RIGHT, self.at):
            self.at += len(RIGHT)
            return True
        return False

    def _trimmed_close(self, end: int) -> bool:
        """Steps over a close that drops the space behind it: space, ``-`` and the braces."""
        if not self._source.startswith("-" + RIGHT, end):
            return False
        self.line += self._source.count("\n", self.at, end)
        self.at, self.trims = end + 3, True
        return True

    def _check_end(self, text: str, kind: str) -> None:
        behind = self._source[self.at : self.at + 1]
        if behind in _TERMINATES or not behind or self._source.startswith(RIGHT, self.at):
            return
        what = "number" if kind == "number" else "word"
        raise GoTemplateError(f"the {what} {(text + behind)[:40]!r} is none: {behind!r} can't stand in it", self.line)

    def _fault(self) -> str:
        rest = self._source[self.at : self.at + 20]
        if not rest:
            return "unclosed action: an opening {{ has no }}"
        if rest[0] in "\"'`":
            return "a quoted text is not closed"
        return f"{rest[0]!r} can't stand in an action"
