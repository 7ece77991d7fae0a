"""Fields of a request that nobody here knows, wherever they are in it: the response names them in a header."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from mlxr.http.fields import Fields, hints, wire_names

HEADER = "X-Mlxr-Ignored"

MAX_HEADER = 1000
"""Characters that the header has at most, but for what it says of the rest."""

MAX_FIELDS = 1000
"""Fields that are counted at most."""

NAME_LENGTH = 60

_INDEX = re.compile(r"\[(\d+)\]")

Finder = Callable[[Any, str, list[str]], None]
"""Appends to a list the places of what is unknown in a value (as JSON decodes to), which is at a certain place."""


@cache
def finder(wanted: Any) -> Finder | None:
    """Returns a function that finds fields which the type ``wanted`` does not declare; None where it may have fields of
    any name. Places are names and numbers with dots between them."""
    parts = alternatives(wanted, notes=True)
    fields = next((part for part in parts if isinstance(part, type) and issubclass(part, Fields)), None)
    items = next((each for part in parts if get_origin(part) is list and (each := finder(get_args(part)[0]))), None)
    if fields is None and items is None:
        return None
    known = known_names(fields) if fields else frozenset()
    inner: dict[str, Finder] | None = None

    def find(value: Any, place: str, found: list[str]) -> None:
        nonlocal inner
        if isinstance(value, dict) and fields is not None:
            if inner is None:
                inner = {name: each for name, hint in _wire_hints(fields).items() if (each := finder(hint))}
            if not value.keys() <= known:
                note(found, place, [name for name in value if name not in known])
            for name, each in inner.items():
                if name in value:
                    each(value[name], within(place, name), found)
        elif isinstance(value, list) and items is not None:
            for index, item in enumerate(value):
                if len(found) >= MAX_FIELDS:
                    break
                items(item, f"{place}.{index}", found)

    return find


def note(found: list[str], place: str, names: list[str]) -> None:
    """Takes down that the object at ``place`` has ``names``, as long as they are not too many."""
    found += [within(place, name) for name in names[: max(0, MAX_FIELDS - len(found))]]


def within(place: str, name: str) -> str:
    name = name[:NAME_LENGTH]
    return f"{place}.{name}" if place else name


def dotted(place: str) -> str:
    """Returns ``messages[3].content`` as ``messages.3.content``."""
    return _INDEX.sub(r".\1", place)


@cache
def known_names(fields: type[Fields]) -> frozenset[str]:
    return frozenset({*fields.__struct_encode_fields__, *fields.IGNORED})


def header_value(places: list[str]) -> str:
    """Returns ``places`` as a header's value: printable ASCII, and not too much of it."""
    shown: list[str] = []
    room = MAX_HEADER
    for place in places:
        text = place.encode("ascii", "backslashreplace").decode()
        text = "".join(char if char.isprintable() and char != "," else "?" for char in text)
        room -= len(text) + 2
        if room < 0:
            break
        shown.append(text)
    rest = len(places) - len(shown)
    return ", ".join([*shown, f"and {rest} more"] if rest else shown)


def alternatives(wanted: Any, *, notes: bool = False) -> list[Any]:
    """Returns the types that a value may have, without their limits. ``notes``: also those that an annotation gives, as
    ``Annotated[dict[str, Any], Options]`` does for what is decoded later."""
    if get_origin(wanted) is Annotated:
        plain, *more = get_args(wanted)
        return alternatives(plain, notes=notes) + [note for note in more if notes and isinstance(note, type)]
    if get_origin(wanted) in (Union, UnionType):
        return [each for part in get_args(wanted) for each in alternatives(part, notes=notes)]
    return [wanted]


def _wire_hints(fields: type[Fields]) -> dict[str, Any]:
    of = hints(fields)
    return {wire: of[name] for wire, name in wire_names(fields).items()}
