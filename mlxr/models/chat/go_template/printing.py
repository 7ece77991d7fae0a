"""Go's ``print`` and ``printf``, as far as values of templates go."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.numbers import float_text
from mlxr.models.chat.go_template.values import (
    JsonList,
    JsonMap,
    Struct,
    Types,
    Value,
    encoded,
    formatted,
    sorted_items,
    type_name,
)

WIDEST = 1_000
"""The most characters that a width or precision may ask for: Go takes more, and no template has use for it."""
_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.)?", re.DOTALL)


def print_text(*values: Value) -> str:
    """Returns the values one behind the other, with a space between two that are no texts."""
    parts: list[str] = []
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            parts.append(" ")
        parts.append(formatted(value))
    return "".join(parts)


def printf(form: Value, *values: Value) -> str:
    """Returns ``form`` with the values in it. What does not fit is said in the text, as Go does.

    Raises ``GoTemplateError`` where ``form`` is no text, or asks for more than ``WIDEST`` characters.
    """
    if not isinstance(form, str):
        raise GoTemplateError(f"wrong type for value; expected string; got {type_name(form)}")
    given = list(values)
    taken = 0

    def one(found: re.Match[str]) -> str:
        nonlocal taken
        flags, width, precision, verb = found[1], found[2], found[3], found[4]
        sizes: list[int | None] = []
        for size in (width, precision):
            if size == "*":
                star = given[taken] if taken < len(given) else None
                taken += 1
                if not isinstance(star, int) or isinstance(star, bool):
                    return "%!(BADWIDTH)"
                size = str(star)
            sizes.append(min(int(size), WIDEST + 1) if size else None)
        if any((size or 0) > WIDEST for size in sizes):
            raise GoTemplateError(f"printf is asked for more than {WIDEST} characters")
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if taken >= len(given):
            return f"%!{verb}(MISSING)"
        value = given[taken]
        taken += 1
        exact = (sizes[1] or 0) if "." in found[0][:-1] else None
        return _Verb(verb, flags, sizes[0], exact).text(value)

    text = _VERB.sub(one, form)
    if taken < len(given):
        extra = ", ".join("<nil>" if each is None else f"{type_name(each)}={formatted(each)}" for each in given[taken:])
        text += f"%!(EXTRA {extra})"
    return text


class _Verb(NamedTuple):
    """One verb of a form: ``%-6.2s``. What it is no verb for is said in the text."""

    verb: str
    flags: str
    width: int | None
    precision: int | None

    def text(self, value: Value, inner: bool = False) -> str:
        if self.verb == "T":
            return self._padded("<nil>" if value is None else type_name(value), "")
        if value is None:
            if self.verb != "v" and not inner:
                return f"%!{self.verb}(<nil>)"
            return self._padded("<nil>", "") if not inner else "<nil>"
        if isinstance(value, list | dict | Struct) and not _writes_itself(value):
            return self._parts(value)
        made = self._one(value)
        if made is None:
            return f"%!{self.verb}({type_name(value)}={self._padded(formatted(value), value)})"
        return self._padded(made, value)

    def _parts(self, value: Value) -> str:
        if isinstance(value, dict):
            pairs = (f"{self.text(key, True)}:{self.text(each, True)}" for key, each in sorted_items(value))
            return f"map[{' '.join(pairs)}]"
        items = value.fields.values() if isinstance(value, Struct) else value
        made = " ".join(self.text(each, True) for each in items)
        return f"{{{made}}}" if isinstance(value, Struct) else f"[{made}]"

    def _padded(self, text: str, value: Value) -> str:
        if self.width is None or len(text) >= self.width:
            return text
        if "-" in self.flags:
            return text.ljust(self.width)
        if "0" in self.flags and self.verb != "c":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            sign = text[:1] if number and text[:1] in ("+", "-") else ""
            return sign + text[len(sign) :].rjust(self.width - len(sign), "0")
        return text.rjust(self.width)

    def _one(self, value: Value) -> str | None:
        """Returns the value's text; None where the verb is none for it."""
        if self.verb == "v":
            return _general(self.flags, self.precision, value)
        match value:
            case bool():
                return formatted(value) if self.verb == "t" else None
            case int():
                return _integer(self.verb, self.flags, value)
            case float():
                text = _float(self.verb, self.precision, value)
                return f"+{text}" if text and "+" in self.flags and not text.startswith("-") else text
        text = formatted(value)
        if self.verb in "sq" and self.precision is not None:
            text = text[: self.precision]
        match self.verb:
            case "s":
                return text
            case "q":
                return quoted(text)
            case "x":
                return encoded(text).hex()
            case "X":
                return encoded(text).hex().upper()
        return None


def _writes_itself(value: Value) -> bool:
    return isinstance(value, JsonList | JsonMap | Types) or (isinstance(value, Struct) and value.type.is_json)


def _general(flags: str, precision: int | None, value: Value) -> str:
    if isinstance(value, str):
        text = value if precision is None else value[:precision]
        return quoted(text) if "#" in flags else text
    if isinstance(value, float) and precision is not None:
        return f"{value:.{precision}g}"
    return formatted(value)


def _integer(verb: str, flags: str, value: int) -> str | None:
    match verb:
        case "d":
            text = str(value)
        case "b" | "o" | "x" | "X":
            text = format(value, verb)
            if "#" in flags and verb in "xX":
                text = f"{'-' if value < 0 else ''}0{verb}{text.lstrip('-')}"
        case "c":
            return chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "\ufffd"
        case "q":
            return f"'{chr(value)}'" if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "'\ufffd'"
        case "U":
            return f"U+{value:04X}"
        case _:
            return None
    return f"+{text}" if "+" in flags and value >= 0 else text


def _float(verb: str, precision: int | None, value: float) -> str | None:
    if verb in "fF":
        return f"{value:.{6 if precision is None else precision}f}"
    if verb in "eE":
        return f"{value:.{6 if precision is None else precision}{verb}}"
    if verb in "gG":
        return float_text(value) if precision is None else f"{value:.{precision}g}"
    return None


def quoted(text: str) -> str:
    """Returns ``text`` in double quotes, as Go's ``%q`` has it."""
    made = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            made.append("\\" + char)
        elif char in _NAMED:
            made.append(_NAMED[char])
        elif 0xDC80 <= code <= 0xDCFF:
            made.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            made.append(char)
        else:
            made.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join([*made, '"'])


_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
