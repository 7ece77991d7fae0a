"""What is wrong with a constraint, in sentences of our own: llguidance's texts have its inner names in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

NOTHING_FITS = "no output can match it: it refers to nothing but itself, or its parts rule each other out"
ENDLESS = "it asks for an output without an end"
AMBIGUOUS = "it is too complex: too much is possible at one place"
ROW = r"it is too complex: \1 items are possible at one place, and at most \2 are taken"
PATTERNS = "its patterns are too complex"
COMBINED = "a pattern together with another, or with a length, is too complex"
CIRCLE = "a reference that leads back to itself can't stand beside other keywords"
FAILED = "it can't be compiled"
REFUSED_REGEX = "a regular expression is refused: "
MOST_CHARACTERS = 500

_REASONS = {
    r"\bNoExtension": NOTHING_FITS,
    r"\bff_tokens\b": ENDLESS,
    r"Current row has ([0-9]+) items; max is ([0-9]+)": ROW,
    r"too many expressions|\bfuel\b|too many states|LexerTooComplex": PATTERNS,
    r"ParserTooComplex|Too many items": AMBIGUOUS,
    r"^Unable to determine if regex is empty": COMBINED,
    r"^circular references with sibling keys": CIRCLE,
    r"panicked|InternalError": FAILED,
}
"""What stands in llguidance's texts, and what is said instead of the whole."""

_UNSATISFIABLE = re.compile(r"Unsatisfiable schema: ")
_PLACE = re.compile(r"(?:at )?([0-9]+)\(([0-9]+)\): ")
_EXCERPT = re.compile(r"\s+[0-9]+ \| .*", re.DOTALL)
"""Lines of the source, with a mark below the place that is meant."""
_LISTS = re.compile(r"; following (?:special tokens )?are available: .*", re.DOTALL)
_REGEX_ERROR = re.compile(r".*error: ", re.DOTALL)


class ConstraintError(ValueError):
    """The constraint can't be enforced; the message says what it is that can't be."""


class ToolError(ConstraintError):
    """It is a tool that can't be held to; the message names it. ``field``: as in ``Tool``, '' where it is several."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class KeywordProblem(Struct, frozen=True):
    """A keyword of a schema that can't be held to.

    keyword: its name; '' for what stands where a schema should and is none.
    reason: what is wrong with it, as a clause that lacks its subject; '' where it is no schema.
    mistake: it is wrong for every reader of JSON Schema; others merely can't be held to.
    place: of the part of the schema that has it, as a pointer from ``#``.
    """

    keyword: str
    reason: str
    mistake: bool = False
    place: str = "#"

    def __str__(self) -> str:
        place = shortened(self.place)
        return f"`{self.keyword}` at {place} {self.reason}" if self.keyword else f"{place} is no schema"

    @property
    def pointer(self) -> str:
        """The keyword's own place, as a pointer from ``#``."""
        return clipped(f"{self.place}/{self.keyword}" if self.keyword else self.place)


def refused(problems: Sequence[KeywordProblem], *, strict: bool) -> KeywordProblem | None:
    """Returns for which of ``problems`` a schema is refused, None for none: for a mistake in it, and a ``strict`` one
    for anything that can't be held to."""
    mistakes = [problem for problem in problems if problem.mistake]
    return next(iter([*mistakes, *(problems if strict else ())]), None)


def readable(message: str) -> str:
    """Returns llguidance's reason as a clause, without the state and the source that it quotes. What is one already
    stays as it is."""
    message = message.partition("<state>")[0].partition("<non-verbose")[0].strip()
    for pattern, reason in _REASONS.items():
        if found := re.search(pattern, message):
            return found.expand(reason)
    if "error: " in message and "regex parse error" in message:
        message = REFUSED_REGEX + _REGEX_ERROR.sub("", message)
    message = _LISTS.sub("", _EXCERPT.sub("", message))
    message = _UNSATISFIABLE.sub("no value fits the schema: ", message, count=1)
    message = _PLACE.sub(r"line \1, column \2: ", message, count=1)
    return " ".join(message.split())[:MOST_CHARACTERS]


def shortened(text: str) -> str:
    """Returns ``text`` in quotes, without its middle where it is long."""
    return repr(clipped(text))


def clipped(text: str) -> str:
    """Returns ``text`` without its middle where it is long."""
    return text if len(text) <= 60 else f"{text[:30]}...{text[-27:]}"
