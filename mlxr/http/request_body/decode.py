"""Request bodies: JSON into structs, and what is wrong with them in words that name the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, TypeVar

import msgspec

from mlxr.api.errors import invalid
from mlxr.http.fields import RefusedFieldError
from mlxr.http.request_body.whole_numbers import MISMATCH, with_whole_numbers
from mlxr.runtime.errors import RequestError

T = TypeVar("T")

_PLACE = re.compile(r"(?P<what>.*?) - at `(?P<key>key in )?\$(?P<path>.*)`$", re.DOTALL)


def body_decoder(type: type[T]) -> Callable[[bytes], T]:
    """A function from a request's body to ``type``; it raises ``RequestError`` for anything else."""
    return partial(_decoded, msgspec.json.Decoder(type), within="")


def converted(value: Any, type: type[T], within: str) -> T:
    """A ``value`` that JSON was decoded to, as ``type``; raises as ``body_decoder`` does."""
    try:
        return msgspec.convert(with_whole_numbers(value, type), type)
    except msgspec.ValidationError as error:
        raise wrong_value(error, within) from error


def typed(raw: bytes | memoryview, type: Any, within: str) -> Any:
    """A part of a body, the one at ``within``, as ``type``; raises as ``body_decoder`` does."""
    return _decoded(_decoder_of(type), raw, within)


def untyped(raw: bytes | memoryview, within: str) -> Any:
    """A part of a body as whatever it is; raises as ``body_decoder`` does, but not for numbers as large as 1e999, which
    are infinite: they are where nobody reads them, or have been found to be wrong."""
    return _decoded(_UNTYPED, raw, within)


_UNTYPED: Final = msgspec.json.Decoder(Any, float_hook=float)


@cache
def _decoder_of(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes | memoryview, within: str) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        if MISMATCH not in str(error):
            raise wrong_value(error, within) from error
        return converted(untyped(raw, within), decoder.type, within)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(f"the request body is no valid JSON: {error}") from error
    except RecursionError as error:
        raise invalid("the request body is nested too deeply") from error


def wrong_value(error: msgspec.ValidationError, within: str = "") -> RequestError:
    """msgspec says ``Expected `int`, got `str` - at `$.max_tokens```; clients want the field's name apart.

    ``within``: the field that was decoded, where it wasn't the whole body.
    """
    match = _PLACE.match(str(error))
    if isinstance(refused := error.__cause__, RefusedFieldError):
        return refused.at((within + match["path"] if match else within).removeprefix("."))
    if match:
        path = match["path"] if within else match["path"].removeprefix(".")
        field = within + path or "body"
        return invalid(f"`{field}`: {_lower_first(match['what'])}", field)
    if within:
        return invalid(f"`{within}`: {_lower_first(str(error))}", within)
    missing = re.search(r"missing required field `(.+)`", str(error))
    return invalid(_lower_first(str(error)), missing[1] if missing else None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
