"""Nulls that stand for nothing given, as languages write what a struct of theirs leaves empty.

A field that may be left out may be null, whatever its type: most say so themselves, and msgspec takes no null for the
others.
"""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from mlxr.http.fields import Fields, hints, wire_names
from mlxr.http.request_body.unknown_fields import alternatives

MISMATCH = "got `null`"
"""What msgspec's complaint has in it where ``without_nulls`` may help."""


def without_nulls(value: Any, wanted: Any) -> Any:
    """Returns ``value`` (as JSON decodes to) without the nulls of fields of ``wanted`` that may be left out."""
    if isinstance(value, list):
        items = [get_args(part)[0] for part in alternatives(wanted) if get_origin(part) is list]
        return [without_nulls(item, items[0]) if item else item for item in value] if items else value
    if not isinstance(value, dict):
        return value
    for part in alternatives(wanted):
        if isinstance(part, type) and issubclass(part, Fields):
            wire, absent = _wire_hints(part), left_out_if_null(part)
            return {
                name: without_nulls(member, wire[name]) if member and name in wire else member
                for name, member in value.items()
                if member is not None or name not in absent
            }
    return value


@cache
def left_out_if_null(fields: type[Fields]) -> frozenset[str]:
    """Returns the names in JSON of a struct's fields that may be left out, and whose types take no null."""
    return frozenset(
        field.encode_name
        for field in msgspec.structs.fields(fields)
        if not field.required and not {None, NoneType, Any} & {*alternatives(hints(fields)[field.name])}
    )


@cache
def _wire_hints(fields: type[Fields]) -> dict[str, Any]:
    return {wire: hints(fields)[name] for wire, name in wire_names(fields).items()}
