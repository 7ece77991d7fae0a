"""Reads a Modelfile's instructions, by the rules of Ollama's parser.

An instruction is a keyword in any case, a space, and a value up to the end of the line. A value that begins with one
quotation mark, or three, goes on to the line that ends with the same; nothing in it is an escape. A line that begins
with ``#`` is a comment. Line ends are line feeds.
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from mlxr.actors.registry.modelfile.errors import ModelfileError

KEYWORDS = (
    "FROM",
    "PARAMETER",
    "TEMPLATE",
    "SYSTEM",
    "ADAPTER",
    "LICENSE",
    "MESSAGE",
    "RENDERER",
    "PARSER",
    "REQUIRES",
    "DRAFT",
)
ROLES = ("system", "user", "assistant")
TRIPLE, SINGLE = '"""', '"'
_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)(.*)", re.DOTALL)
_NAMED = re.compile(r"([A-Za-z0-9_]+)(?:[ \t]+(.*))?", re.DOTALL)


class Instruction(NamedTuple):
    """One instruction of a Modelfile.

    keyword: in capitals.
    name: of a parameter, or the role of a message; empty for others.
    value: without its quotes.
    line: where it begins.
    """

    keyword: str
    name: str
    value: str
    line: int


def parse(text: str, file: str) -> list[Instruction]:
    """Returns the instructions in their order, of which at least one is ``FROM``. Raises ``ModelfileError``."""
    lines = text.split("\n")
    found: list[Instruction] = []
    at = 0
    while at < len(lines):
        line = lines[at].strip(" \t")
        if line and not line.startswith("#"):
            instruction, taken = _instruction(lines, at, file)
            found.append(instruction)
            at += taken
        else:
            at += 1
    if not any(each.keyword == "FROM" for each in found):
        raise ModelfileError(file, 0, "has no FROM line; begin with FROM and the model to start from")
    return found


def _instruction(lines: list[str], at: int, file: str) -> tuple[Instruction, int]:
    """Returns the instruction that begins in line ``at``, and how many lines it has."""
    number = at + 1
    matched = _INSTRUCTION.fullmatch(lines[at])
    if matched is None:
        begin = lines[at].strip()[:40]
        raise ModelfileError(file, number, f"begins with no keyword: {begin!r}; comments begin with #")
    word, rest = matched[1], matched[2]
    keyword = word.upper()
    if keyword not in KEYWORDS:
        raise ModelfileError(file, number, f"unknown keyword {word[:40]!r}; {_nearest(keyword, KEYWORDS)}")
    if not rest.strip(" \t"):
        raise ModelfileError(file, number, f"{keyword} has no value")
    if rest[0] not in " \t":
        raise ModelfileError(file, number, f"there is no space behind {keyword}")
    rest, name = rest.lstrip(" \t"), ""
    if keyword in ("PARAMETER", "MESSAGE"):
        name, rest = _name(keyword, rest, file, number)
    value, taken = _value(rest, lines, at)
    if value is None:
        raise ModelfileError(file, number, f"the quote that {keyword}'s value begins with is not closed")
    return Instruction(keyword, name, value, number), taken


def _name(keyword: str, rest: str, file: str, number: int) -> tuple[str, str]:
    """Returns a parameter's name, or a message's role, and what stands behind it."""
    matched = _NAMED.fullmatch(rest)
    if matched is None:
        what = "name of a parameter" if keyword == "PARAMETER" else "role"
        raise ModelfileError(file, number, f"{keyword} begins with no {what}: {rest.strip()[:40]!r}")
    name, behind = matched[1], matched[2] or ""
    if keyword == "MESSAGE" and name not in ROLES:
        raise ModelfileError(file, number, f"the role {name[:40]!r} is none; a message is of {', '.join(ROLES)}")
    if not behind.strip(" \t"):
        raise ModelfileError(file, number, f"{keyword} {name} has no value")
    return name, behind


def _value(first: str, lines: list[str], at: int) -> tuple[str | None, int]:
    """Returns the value that begins with ``first`` in line ``at``, None where its quote is not closed; and how many
    lines it has."""
    gathered = first
    for taken in range(1, len(lines) - at + 1):
        value = _unquoted(gathered.strip())
        if value is not None:
            return value, taken
        if at + taken < len(lines):
            gathered = f"{gathered}\n{lines[at + taken]}"
    return None, 1


def _unquoted(text: str) -> str | None:
    """Returns ``text`` without its quotes; None where a quote is open."""
    for quote in (TRIPLE, SINGLE):
        if text.startswith(quote):
            closed = len(text) >= 2 * len(quote) and text.endswith(quote)
            return text[len(quote) : -len(quote)] if closed else None
    return text


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"it may be {', '.join(known)}"
