"""Text of strangers for a terminal or a log: what is not to be seen is written out.

A new line would begin a line of a log, an escape would give orders to a terminal, a mark for right-to-left text would
turn round what stands beside it.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(r"[^\x20-\x7e]")
LONGEST_WORD = 400
"""Characters of a name, path or address that a message shows whole."""
_LONG_WORD = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def printable(text: str, keep: str = "") -> str:
    """Returns ``text`` with Python's escapes for characters that do not print, but for those in ``keep``."""
    return _HIDDEN.sub(lambda match: _shown(match[0], keep), text)


def printable_message(text: str) -> str:
    """Returns ``text`` as a line of ours shows it: ``printable``, with the two ends of a word that is too long to read.
    Names come back in messages as they were typed, and may have any length."""
    return printable(_LONG_WORD.sub(lambda word: shortened(word[0], LONGEST_WORD), text))


def shortened(text: str, longest: int) -> str:
    """Returns ``text``, or its two ends where it has more than ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest * 3 // 4]} ... {text[-longest // 4 :]}"


def printable_json(text: str) -> str:
    """JSON with JSON's escapes for characters that do not print; its line breaks stay."""
    return _HIDDEN.sub(lambda match: _shown_in_json(match[0]), text)


def _shown(char: str, keep: str) -> str:
    if char.isprintable() or char in keep:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _shown_in_json(char: str) -> str:
    if char.isprintable() or char == "\n":
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
