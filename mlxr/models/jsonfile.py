"""JSON files of model folders, bounded before they are decoded: a byte of JSON can become a hundred of Python."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from mlxr.models.errors import AGAIN, ModelFileError
from mlxr.models.modelfile import ModelFile

MAX_FILE_BYTES = 16 << 20
MAX_VALUES = 1 << 19


def read_json(path: Path, *, infinite: bool = False) -> dict[str, Any]:
    """Returns a JSON object. Raises ``ModelFileError`` for anything else, a missing file included. ``infinite``:
    whether it may hold ``Infinity``, which is no JSON, but what Python writes."""
    value = read_value(path, infinite=infinite)
    if not isinstance(value, dict):
        raise ModelFileError(path, f"is no JSON object: it holds {_kind(value)}; {AGAIN}")
    return value


def optional_json(path: Path) -> dict[str, Any]:
    """As ``read_json``; empty where there is no such file."""
    return read_json(path) if os.path.exists(path) else {}


def read_value(path: Path, *, infinite: bool = False) -> Any:
    """Any JSON value, with the same errors."""
    if not os.path.exists(path):
        raise ModelFileError(path, "is missing; fetch it into the folder")
    return decode_json(path, _content(path), infinite=infinite)


def read_text(path: Path) -> str:
    """Returns a text in UTF-8, with the same errors."""
    try:
        return _content(path).decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(path, f"is no text in UTF-8; {AGAIN}", error.start) from None


def _content(path: Path) -> bytes:
    file = ModelFile(path)
    if file.size > MAX_FILE_BYTES:
        raise ModelFileError(path, f"has {file.size} bytes; mlxr reads at most {MAX_FILE_BYTES}")
    return file.read(0, file.size)


def decode_json(
    path: Path,
    data: bytes,
    offset: int | None = None,
    *,
    most: int = MAX_VALUES,
    once: bool = False,
    infinite: bool = False,
) -> Any:
    """``data`` of the file ``path``, found at ``offset``. ``most``: values it may hold. ``once``: a name that an object
    has twice is an error. ``infinite``: as in ``read_json``."""
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > most:
        raise ModelFileError(path, f"holds some {values} values; mlxr reads at most {most}", offset)
    try:
        constant = _infinite if infinite else _refuse
        return json.loads(data, object_pairs_hook=_unique if once else None, parse_constant=constant)
    except (ValueError, RecursionError) as error:  # of JSON, of UTF-8, of numbers with too many digits
        raise ModelFileError(path, f"is corrupt, no JSON: {_reason(error)}; {AGAIN}", offset) from None


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | _RefusedError):
        return str(error)[:200]
    return "it holds a number of more digits than any has"  # of which Python says how to allow it


class _RefusedError(ValueError):
    """What is JSON, or Python's idea of it, and of no use here."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1) if len(names) < 1000 else "one of its names"
        raise _RefusedError(f"it has {twice!r} twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise _RefusedError(f"it holds {constant}")


def _infinite(constant: str) -> float:
    return float("inf") if constant == "Infinity" else _refuse(constant)


def _kind(value: object) -> str:
    return {list: "an array", str: "a string", bool: "a flag", type(None): "null"}.get(type(value), "a number")
