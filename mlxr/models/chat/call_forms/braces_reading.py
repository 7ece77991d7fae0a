"""Reads what ``braces.py`` writes: ``call:f{key:<escape>text<escape>, other:12}``, whole."""

from __future__ import annotations

import re
from typing import Any

from mlxr.models.output.python_literals import from_json

QUOTES = ("<escape>", '<|"|>')
"""What stands around texts: FunctionGemma's, and Gemma 4's."""

KEY = re.compile(r"\s*([^\s:,{}\[\]]+)\s*:\s*")
QUOTED_KEY = re.compile(r'\s*(<escape>|<\|"\|>)(.*?)\1\s*:\s*', re.DOTALL)
PLAIN = re.compile(r"[^,{}\[\]]*")
HEAD = re.compile(r"\s*call:\s*([^\s{]+)\s*")
MAX_DEPTH = 50


def read_call(body: str) -> tuple[str, dict[str, Any]] | None:
    """Returns name and arguments; None where ``body`` is something else."""
    head = HEAD.match(body)
    if head is None or body[head.end() : head.end() + 1] != "{":
        return None
    try:
        values, end = _value(body, head.end(), 0)
    except (ValueError, IndexError):
        return None
    return (head[1], values) if isinstance(values, dict) and not body[end:].strip() else None


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    for quote in QUOTES:
        if text.startswith(quote, at):
            end = text.index(quote, at + len(quote))
            return text[at + len(quote) : end], end + len(quote)
    if text[at] == "{":
        return _object(text, at + 1, depth)
    if text[at] == "[":
        return _list(text, at + 1, depth)
    match = PLAIN.match(text, at)
    word = match.group().strip() if match else ""
    try:
        return from_json(word), at + len(match.group() if match else "")
    except ValueError:
        return word, at + len(match.group() if match else "")


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    while text[at:].lstrip()[:1] != "}":
        key, at = _key(text, at)
        values[key], at = _value(text, at, depth + 1)
        at = _past_comma(text, at)
    return values, text.index("}", at) + 1


def _key(text: str, at: int) -> tuple[str, int]:
    """Returns a key, which may be quoted as strings are, and where its value begins."""
    if quoted := QUOTED_KEY.match(text, at):
        return quoted[2], quoted.end()
    key = KEY.match(text, at)
    if key is None:
        raise ValueError("no key")
    return key[1].strip('"'), key.end()


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    while text[at:].lstrip()[:1] != "]":
        value, at = _value(text, at, depth + 1)
        values.append(value)
        at = _past_comma(text, at)
    return values, text.index("]", at) + 1


def _past_comma(text: str, at: int) -> int:
    rest = text[at:]
    if not rest.strip():
        raise ValueError("not closed")
    return at + len(rest) - len(rest.lstrip().removeprefix(",").lstrip())
