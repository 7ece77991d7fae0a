"""Values as Go's templates know them, and how they are written.

Text is ``str`` (bytes that are no UTF-8 are surrogates, as in ``surrogateescape``), numbers are ``int`` and ``float``,
slices ``list``, maps ``dict``, no value ``None``. ``Struct``, ``JsonList`` and ``JsonMap`` are Ollama's own types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.numbers import float_text, json_number

Value = Any
NO_VALUE = "<no value>"
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SURROGATE = re.compile("[\ud800-\udfff]")


class Key(NamedTuple):
    """A field's name in JSON. ``omitted``: of a field that is left out there, whether when it is ``empty`` or only when
    it is ``nil``."""

    name: str
    omitted: Literal["never", "empty", "nil"] = "never"


@dataclass(frozen=True, slots=True)
class StructType:
    """A type of values with named fields.

    Attributes:
        name: Go's, for messages.
        keys: the fields in their order, and what they are in JSON.
        is_json: it is written as JSON.
    """

    name: str
    keys: dict[str, Key]
    is_json: bool = False


@dataclass(slots=True)
class Struct:
    """A value with named fields, of which each of ``type`` is there."""

    type: StructType
    fields: dict[str, Value]


class JsonList(list[Value]):
    """A slice that is written as JSON. ``missing``: Go has no slice there at all."""

    missing = False


class NoList(list[Value]):
    """A slice that Go does not have: written as an empty one, and null in JSON."""


class JsonMap(dict[str, Value]):
    """A map that is written as JSON. ``missing``: Go has no map there at all."""

    missing = False


class Ordered(dict[str, Value]):
    """A map that keeps its order in JSON."""


class Types(list[str]):
    """JSON schema's ``type``: one name, or several."""


def encoded(text: str) -> bytes:
    """Returns the bytes that Go has of ``text``."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def type_name(value: Value) -> str:
    """Returns what Go calls the type of ``value``."""
    match value:
        case None:
            return "nil"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Struct():
            return value.type.name
        case JsonList():
            return "template.templateTools"
        case JsonMap():
            return "template.templateArgs"
        case Types():
            return "api.PropertyType"
        case list():
            return "[]interface {}"
        case dict():
            return "map[string]interface {}"
    return type(value).__name__


def truth(value: Value) -> bool:
    """Returns whether Go takes ``value`` for true: what is empty, zero or nothing is not."""
    return True if isinstance(value, Struct) else bool(value)


def is_nil(value: Value) -> bool:
    """Returns whether there is nothing at all, which is less than an empty slice or map."""
    return value is None or isinstance(value, NoList) or (isinstance(value, JsonList | JsonMap) and value.missing)


def written(value: Value) -> str:
    """Returns what an action writes of ``value``."""
    return NO_VALUE if value is None else formatted(value)


def formatted(value: Value, inner: bool = False) -> str:
    """Returns ``value`` as Go's ``%v`` has it; ``inner``: within another."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return float_text(value)
        case str():
            return value
        case JsonList() | JsonMap():
            return "{}" if isinstance(value, JsonMap) and value.missing else to_json(value)
        case Types():
            return value[0] if len(value) == 1 else f"[{' '.join(value)}]" if value else ""
        case Struct():
            if value.type.is_json:
                return to_json(value)
            return "{" + " ".join(formatted(each, True) for each in value.fields.values()) + "}"
        case list():
            return "[" + " ".join(formatted(each, True) for each in value) + "]"
        case dict():
            pairs = (f"{formatted(key, True)}:{formatted(each, True)}" for key, each in sorted_items(value))
            return "map[" + " ".join(pairs) + "]"
    raise GoTemplateError(f"can't print {type_name(value)}")


def sorted_items(value: dict[str, Value]) -> list[tuple[str, Value]]:
    """Returns a map's entries by their keys, as Go goes through them."""
    return sorted(value.items(), key=lambda item: encoded(item[0]))


def to_json(value: Value) -> str:
    """Returns ``value`` as Go's ``json.Marshal`` has it: no space, keys of maps in order, and nothing that HTML reads.

    Raises ``GoTemplateError`` for what JSON can't hold.
    """
    return "".join(_json(value))


def json_text(text: str) -> str:
    """Returns ``text`` as a JSON string of Go's."""
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    quoted = json.dumps(text, ensure_ascii=False)
    for char, escape in _HTML.items():
        quoted = quoted.replace(char, escape)
    return quoted


def _json(value: Value) -> Iterator[str]:
    match value:
        case None:
            yield "null"
        case bool():
            yield "true" if value else "false"
        case int():
            yield str(value)
        case float():
            yield json_number(value)
        case str():
            yield json_text(value)
        case Types() if len(value) == 1:
            yield json_text(value[0])
        case NoList():
            yield "null"
        case JsonList() | JsonMap() if value.missing:
            yield "null"
        case Struct():
            kept = ((key, value.fields[name]) for name, key in value.type.keys.items())
            yield from _object((key.name, each) for key, each in kept if not _left_out(key, each))
        case list():
            yield "["
            for at, each in enumerate(value):
                if at:
                    yield ","
                yield from _json(each)
            yield "]"
        case Ordered():
            yield from _object(value.items())
        case dict():
            yield from _object(sorted_items(value))
        case _:
            raise GoTemplateError(f"can't make JSON of {type_name(value)}")


def _left_out(key: Key, value: Value) -> bool:
    if key.omitted == "nil":
        return value is None
    return key.omitted == "empty" and (value is None or (isinstance(value, str | list | dict) and not value))


def _object(items: Any) -> Iterator[str]:
    yield "{"
    for at, (key, each) in enumerate(items):
        yield f"{',' if at else ''}{json_text(key)}:"
        yield from _json(each)
    yield "}"
