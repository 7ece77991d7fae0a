"""Request bodies: JSON into structs, and what is wrong with them in words that name the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from mlxr.http.errors import HttpError, invalid, unsupported

T = TypeVar("T")

_PLACE = re.compile(r"(?P<what>.*?) - at `(?P<key>key in )?\$(?P<path>.*)`$", re.DOTALL)


def body_decoder(type: type[T]) -> Callable[[bytes], T]:
    """A function from a request's body to ``type``; it raises ``HttpError`` 400 for anything else.

    A type may list fields it knows and can't honour in ``REFUSED``: they are a 400 unless null or of the value given
    there. Fields a type does not know are ignored.
    """
    decoder = msgspec.json.Decoder(type)
    refused: dict[str, Any] = getattr(type, "REFUSED", {})

    def decode(body: bytes) -> T:
        try:
            value = decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _wrong_value(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise invalid(f"the request body is no valid JSON: {_lower_first(str(error))}") from error
        except RecursionError as error:
            raise invalid("the request body is nested too deeply") from error
        for name, harmless in refused.items():
            if (given := getattr(value, name)) is not None and given != harmless:
                raise unsupported(name)
        return value

    return decode


def _wrong_value(error: msgspec.ValidationError) -> HttpError:
    """msgspec says ``Expected `int`, got `str` - at `$.max_tokens```; clients want the field's name apart."""
    match = _PLACE.match(str(error))
    if match:
        field = match["path"].removeprefix(".") or "body"
        return invalid(f"`{field}`: {_lower_first(match['what'])}", field)
    missing = re.search(r"missing required field `(.+)`", str(error))
    return invalid(_lower_first(str(error)), missing[1] if missing else None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
