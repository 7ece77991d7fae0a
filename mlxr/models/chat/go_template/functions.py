"""The functions that a template may call: Go's own and Ollama's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote_plus

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.printing import print_text, printf
from mlxr.models.chat.go_template.values import (
    NO_VALUE,
    Struct,
    Value,
    decoded,
    encoded,
    formatted,
    is_nil,
    to_json,
    truth,
    type_name,
)


class GoFunction(NamedTuple):
    """A function, and how many arguments it takes: ``least``, or more where it has an ``open_end``."""

    call: Callable[..., Value]
    least: int
    open_end: bool = False


SHORT_CIRCUIT = frozenset({"and", "or"})
"""These evaluate their arguments one by one (``evaluator``)."""
_HTML = {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_JS = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
    "\n": "\\u000A",
    "\r": "\\u000D",
    "\t": "\\u0009",
}
_SCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


def functions(clock: Callable[[], datetime]) -> dict[str, GoFunction]:
    """Returns every function by its name. ``clock``: tells today's date. They raise ``GoTemplateError``."""
    open_end: dict[str, tuple[Callable[..., Value], int]] = {
        "and": (_lazy, 1),
        "or": (_lazy, 1),
        "index": (_index, 1),
        "slice": (_slice, 1),
        "print": (print_text, 0),
        "println": (lambda *values: " ".join(formatted(value) for value in values) + "\n", 0),
        "printf": (printf, 1),
        "html": (lambda *values: _replaced(_as_text(values), _HTML), 0),
        "js": (lambda *values: _js(_as_text(values)), 0),
        "urlquery": (lambda *values: quote_plus(encoded(_as_text(values)), safe="~"), 0),
        "call": (_call, 1),
        "eq": (_equal, 1),
        "currentDate": (lambda *forms: _date(clock(), forms), 0),
        "yesterdayDate": (lambda *forms: _date(clock() - timedelta(days=1), forms), 0),
    }
    exact: dict[str, tuple[Callable[..., Value], int]] = {
        "not": (lambda value: not truth(value), 1),
        "len": (_length, 1),
        "ne": (lambda first, second: not _equal(first, second), 2),
        "lt": (_less, 2),
        "le": (lambda first, second: _less(first, second) or _same(first, second), 2),
        "gt": (lambda first, second: not (_less(first, second) or _same(first, second)), 2),
        "ge": (lambda first, second: not _less(first, second), 2),
        "json": (_json, 1),
        "toTypeScriptType": (script_type, 1),
    }
    made = {name: GoFunction(call, least, open_end=True) for name, (call, least) in open_end.items()}
    return made | {name: GoFunction(call, least) for name, (call, least) in exact.items()}


def _lazy(*values: Value) -> NoReturn:
    raise AssertionError("and, or: evaluated where their arguments are")


def _call(*values: Value) -> NoReturn:
    raise GoTemplateError("call of a value that is no function")


def _json(value: Value) -> str:
    try:
        return to_json(value)
    except GoTemplateError:
        # As Ollama does: nothing comes of what JSON can't hold.
        return ""


def _date(day: datetime, forms: tuple[Value, ...]) -> str:
    if any(not isinstance(form, str) for form in forms):
        raise GoTemplateError("a date's form is a text")
    return day.strftime("%Y-%m-%d")


def script_type(value: Value) -> str:
    """Returns TypeScript's name of a tool's property; ``any`` for what is none."""
    if not isinstance(value, Struct) or "AnyOf" not in value.fields:
        return "any"
    if value.fields["AnyOf"]:
        return " | ".join(map(script_type, value.fields["AnyOf"]))
    return " | ".join(_SCRIPT.get(name, "any") for name in value.fields["Type"]) or "any"


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(encoded(value))
    if isinstance(value, list | dict):
        return len(value)
    raise GoTemplateError("len of nil pointer" if value is None else f"len of type {type_name(value)}")


def _whole(value: Value) -> int:
    if value is None:
        raise GoTemplateError("cannot index slice/array with nil")
    if not isinstance(value, int) or isinstance(value, bool):
        raise GoTemplateError(f"cannot index slice/array with type {type_name(value)}")
    return value


def _index(value: Value, *places: Value) -> Value:
    if value is None:
        raise GoTemplateError("index of untyped nil")
    for place in places:
        if isinstance(value, dict):
            if not isinstance(place, str):
                raise GoTemplateError(f"value has type {type_name(place)}; should be string")
            value = value.get(place)
            continue
        if not isinstance(value, list | str):
            raise GoTemplateError(f"can't index item of type {type_name(value)}")
        items: Any = encoded(value) if isinstance(value, str) else value
        at = _whole(place)
        if not 0 <= at < len(items):
            raise GoTemplateError(f"index out of range: {at}")
        value = items[at]
    return value


def _slice(value: Value, *places: Value) -> Value:
    if value is None:
        raise GoTemplateError("slice of untyped nil")
    if len(places) > 3:
        raise GoTemplateError(f"too many slice indexes: {len(places)}")
    if not isinstance(value, list | str):
        raise GoTemplateError(f"can't slice item of type {type_name(value)}")
    if isinstance(value, str) and len(places) == 3:
        raise GoTemplateError("cannot 3-index slice a string")
    items: Any = encoded(value) if isinstance(value, str) else value
    at = [_whole(place) for place in places]
    for each in at:
        if not 0 <= each <= len(items):
            raise GoTemplateError(f"index out of range: {each}")
    first, last = at[0] if at else 0, at[1] if len(at) > 1 else len(items)
    if first > last or (len(at) == 3 and last > at[2]):
        raise GoTemplateError(f"invalid slice index: {first} > {last}")
    part = items[first:last]
    return decoded(part) if isinstance(part, bytes) else type(value)(part)


def _kind(value: Value) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
    return ""


def _equal(first: Value, *others: Value) -> bool:
    if not others:
        raise GoTemplateError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(first: Value, other: Value) -> bool:
    kind = _kind(first)
    if kind != _kind(other):
        if first is not None and other is not None:
            raise GoTemplateError(f"incompatible types for comparison: {type_name(first)} and {type_name(other)}")
        return False
    if kind:
        return bool(first == other)
    if is_nil(first) or is_nil(other):
        return is_nil(first) == is_nil(other)
    raise GoTemplateError(f"non-comparable type {type_name(other)}")


def _less(first: Value, second: Value) -> bool:
    one, other = _kind(first), _kind(second)
    if not one or not other or "bool" in (one, other):
        raise GoTemplateError("invalid type for comparison")
    if one != other:
        raise GoTemplateError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
    if one == "string":
        return encoded(first) < encoded(second)
    return bool(first < second)


def _as_text(values: tuple[Value, ...]) -> str:
    return print_text(*(NO_VALUE if value is None else value for value in values))


def _replaced(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(char, char) for char in text)


def _js(text: str) -> str:
    def one(char: str) -> str:
        if char in _JS:
            return _JS[char]
        if ord(char) < 0x20:
            return f"\\u{ord(char):04X}"
        return char if char.isprintable() else f"\\u{ord(char):04X}"

    return "".join(map(one, text))
