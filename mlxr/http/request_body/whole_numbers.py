"""Whole numbers that were written as floats (``4096.0``, ``1e3``), as languages with one kind of number write them.

msgspec takes none of them for an ``int``. They are whole without loss, so they are taken on every surface; what has a
fraction stays as it is, to be refused by the name of its field.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args, get_origin

from mlxr.http.fields import Fields, hints, wire_names
from mlxr.http.request_body.unknown_fields import alternatives

MISMATCH = "got `float`"
"""What msgspec's complaint has in it where ``with_whole_numbers`` may help."""


def with_whole_numbers(value: Any, wanted: Any) -> Any:
    """Returns ``value`` (as JSON decodes to) with an ``int`` for each whole float that stands where ``wanted`` has
    integers."""
    parts = _kinds(wanted)
    if isinstance(value, float):
        return int(value) if _takes_whole(wanted) and value.is_integer() else value
    if isinstance(value, list):
        items = [get_args(part)[0] for part in parts if get_origin(part) is list]
        return _with_whole_items(value, items) if items else value
    if isinstance(value, dict):
        for part in parts:
            if isinstance(part, type) and issubclass(part, Fields):
                wire = _wire_hints(part)
                return {k: with_whole_numbers(v, wire[k]) if k in wire else v for k, v in value.items()}
        members = [get_args(part)[1] for part in parts if get_origin(part) is dict]
        return {name: _as_any(member, members) for name, member in value.items()} if members else value
    return value


def _with_whole_items(value: list[Any], kinds: list[Any]) -> list[Any]:
    """A list's items, which may be a million token ids: what they may be is looked up once for all of them."""
    whole = any(map(_takes_whole, kinds))
    return [
        _as_any(item, kinds)
        if isinstance(item, list | dict)
        else (int(item) if whole and isinstance(item, float) and item.is_integer() else item)
        for item in value
    ]


def _takes_whole(wanted: Any) -> bool:
    parts = _kinds(wanted)
    return int in parts and float not in parts


def _as_any(value: Any, kinds: list[Any]) -> Any:
    for kind in kinds:
        value = with_whole_numbers(value, kind)
    return value


@cache
def _kinds(wanted: Any) -> list[Any]:
    return alternatives(wanted)


@cache
def _wire_hints(fields: type[Fields]) -> dict[str, Any]:
    return {wire: hints(fields)[name] for wire, name in wire_names(fields).items()}
