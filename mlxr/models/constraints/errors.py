"""What is wrong with a constraint, in sentences of our own: llguidance's texts have its inner names in them."""

from __future__ import annotations

import re

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
    """It is a tool that can't be held to; the message names it."""


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


class Mistake(str):
    """What is wrong with a keyword for every reader of JSON Schema, unlike what merely can't be held to."""
