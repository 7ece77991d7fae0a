"""Constants of Go as they are written."""

from __future__ import annotations

import re

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.lexer import Token

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def number(token: Token) -> int | float:
    """Returns the value of a number. Raises ``GoTemplateError`` for one that Go does not have."""
    text = token.text.replace("_", "")
    try:
        digits = text.lstrip("+-")
        if digits[:2].lower() in ("0x", "0b", "0o"):
            return int(text, 0)
        if len(digits) > 1 and digits.isdigit() and digits[0] == "0":
            return int(text, 8)
        return int(text) if digits.isdigit() else float(text)
    except ValueError:
        raise GoTemplateError(f"bad number syntax: {token.text[:40]!r}", token.line) from None


def character(token: Token) -> int:
    """Returns the code of a character in single quotes."""
    text = _unescaped(token, "'")
    if len(text) != 1:
        raise GoTemplateError(f"malformed character constant: {token.text[:40]}", token.line)
    return ord(text)


def unquoted(token: Token) -> str:
    """Returns a text in double quotes or backquotes."""
    if token.kind == "raw":
        return token.text[1:-1].replace("\r", "")
    return _unescaped(token, '"')


def _unescaped(token: Token, quote: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        code = found[1]
        if code in _SIMPLE:
            return _SIMPLE[code]
        if code == quote:
            return quote
        if code[0] in "uU" and len(code) > 1:
            value = int(code[1:], 16)
            if value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF:
                return chr(value)
        elif code[0] == "x" and len(code) > 1:
            return _byte(int(code[1:], 16))
        elif len(code) == 3 and int(code, 8) < 256:
            return _byte(int(code, 8))
        raise GoTemplateError(f"an escape that Go does not have: {found[0]!r}", token.line)

    text = _ESCAPE.sub(replaced, token.text[1:-1])
    # Bytes that are written one by one may be a character together.
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _byte(value: int) -> str:
    return bytes([value]).decode("utf-8", "surrogateescape")
