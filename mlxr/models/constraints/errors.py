"""What is wrong with a constraint."""

from __future__ import annotations

import re

_REGEX_ERROR = re.compile(r".*error: ", re.DOTALL)
_ROW = re.compile(r"Current row has ([0-9]+) items; max is ([0-9]+)")


class ConstraintError(ValueError):
    """The constraint can't be enforced; the message says what it is that can't be."""


class ToolError(ConstraintError):
    """It is a tool that can't be held to; the message names it."""


def clean(message: str) -> str:
    """llguidance's reason in a line, without the state and the patterns that it quotes."""
    message = message.partition("<state>")[0].partition("<non-verbose")[0].strip()
    if "error: " in message and "regex parse error" in message:
        message = "a regular expression is refused: " + _REGEX_ERROR.sub("", message)
    if message.startswith("Unable to determine if regex is empty"):
        message = "a pattern together with another, or with a length, is too complex"
    if row := _ROW.search(message):
        message = f"it is too complex: {row[1]} items are possible at one place, and at most {row[2]} are taken"
    if "too many expressions" in message or "fuel" in message or "too many states" in message:
        message = "its patterns are too complex"
    return " ".join(message.split())[:500]
