"""Request bodies: JSON into structs, and what is wrong with them in words that name the field.

A body is parsed once, to what JSON is in Python. From that come both the struct, by msgspec's conversion, and the names
of the fields that nobody knows.
"""

from __future__ import annotations

import re
from math import isinf
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from mlxr.api.errors import invalid
from mlxr.http.fields import Fields, RefusedFieldError
from mlxr.http.request_body import nulls, whole_numbers
from mlxr.http.request_body.unknown_fields import finder
from mlxr.runtime.errors import RequestError

T = TypeVar("T")

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
"""Whole pairs of surrogates, one without the other, or any other escape."""

_MENDINGS = {whole_numbers.MISMATCH: whole_numbers.with_whole_numbers, nulls.MISMATCH: nulls.without_nulls}
"""What makes a value that msgspec does not take one that it takes, by what its complaint has in it."""

_PLACE = re.compile(r"(?P<what>.*?) - at `(?P<key>key in )?\$(?P<path>.*)`$", re.DOTALL)


class Decoded(NamedTuple):
    """A body as its struct, and the places in it of what the struct does not know."""

    body: Any
    unknown: list[str]


def decode(raw: bytes, type: type[Fields]) -> Decoded:
    """Returns the body that ``raw`` is. Raises ``RequestError`` naming the field for anything else."""
    parser = Parser()
    value = parser.parse(raw)
    unknown: list[str] = []
    if (find := finder(type)) is not None:
        find(value, "", unknown)
    made = converted(value, type)
    parser.check_range(made)
    return Decoded(made, unknown)


class Parser:
    """Parses JSON to what it is in Python.

    Numbers as large as 1e999 are infinite. That is well where nobody reads them, and refused by ``check_range`` where
    a struct has them. Half a pair of surrogates (``"\\ud83d"``: whoever cuts a text in the middle of an emoji sends it)
    is U+FFFD, as Go and browsers have it.
    """

    def __init__(self) -> None:
        self._too_large = False
        self._decoder = msgspec.json.Decoder(float_hook=self._float)

    def parse(self, raw: bytes | memoryview) -> Any:
        """Raises ``RequestError`` for what is no JSON."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if (mended := _without_halves(raw)) != raw:
                return self.parse(mended)
            raise invalid(f"the request body is no valid JSON: {error}") from error
        except RecursionError as error:
            raise invalid("the request body is nested too deeply") from error

    def check_range(self, made: Any) -> None:
        """Raises ``RequestError`` naming the field of ``made`` whose number was too large, if one is."""
        if self._too_large and (field := _infinite(made, "")) is not None:
            raise invalid(f"`{field}`: the number is out of range", field)

    def _float(self, text: str) -> float:
        value = float(text)
        self._too_large = self._too_large or isinf(value)
        return value


def _without_halves(raw: bytes | memoryview) -> bytes:
    """Returns JSON with U+FFFD for each surrogate that lacks its other half."""
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], raw)


def converted(value: Any, type: Any, within: str = "") -> Any:
    """Returns a ``value`` that JSON was parsed to as ``type``; raises ``RequestError`` naming the field. ``within``:
    the field that it stands in, where it isn't the whole body."""
    mendings = dict(_MENDINGS)
    while True:
        try:
            return msgspec.convert(value, type)
        except msgspec.ValidationError as error:
            may_help = [mismatch for mismatch in mendings if mismatch in str(error)]
            if not may_help:
                raise wrong_value(error, within) from error
        except RecursionError as error:
            raise invalid("the request body is nested too deeply") from error
        value = mendings.pop(may_help[0])(value, type)


def wrong_value(error: msgspec.ValidationError, within: str = "") -> RequestError:
    """Returns msgspec's complaint (``Expected `int`, got `str` - at `$.max_tokens```) with the field's name apart, as
    clients want it. ``within``: the field that was converted, where it wasn't the whole body."""
    match = _PLACE.match(str(error))
    if isinstance(refused := error.__cause__, RefusedFieldError):
        return refused.at((within + match["path"] if match else within).removeprefix("."))
    if match:
        path = match["path"] if within else match["path"].removeprefix(".")
        # msgspec has three dots for the name of any member of a map.
        field = (within + path).replace("[...]", "") or "body"
        return invalid(f"`{field}`: {_lower_first(match['what'])}", field)
    if within:
        return invalid(f"`{within}`: {_lower_first(str(error))}", within)
    missing = re.search(r"missing required field `(.+)`", str(error))
    return invalid(_lower_first(str(error)), missing[1] if missing else None)


def _infinite(value: Any, place: str) -> str | None:
    """Returns where an infinite number is in ``value``, which is at ``place``."""
    if isinstance(value, float):
        return place if isinf(value) else None
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        inside = [(f"{place}.{wire}" if place else wire, getattr(value, name)) for wire, name in names]
    elif isinstance(value, dict):
        inside = [(f"{place}.{name}", member) for name, member in value.items()]
    elif isinstance(value, list):
        inside = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    found = (_infinite(member, name) for name, member in inside)
    return next((name for name in found if name is not None), None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
