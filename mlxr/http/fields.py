"""Fields of requests: those that are honoured are declared, and what becomes of the others is said here.

"No parameter is silently ignored" is kept in four ways: a field is honoured; it is refused where it asks for what
can't be had (``REFUSED``); it is known to change nothing here (``IGNORED``); or it is not known at all, and then the
response names it in a header (``mlxr.http.request_body.unknown_fields``), which also names what a request can do
without, and the keywords of its schemas that answers can't be held to.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from mlxr.api.errors import unsupported
from mlxr.runtime.errors import RequestError

REFUSED_TEXT = "Can't be honoured: any other value is a 400."
IGNORED_TEXT = "Changes nothing."


class RefusedFieldError(ValueError):
    """A field asks for what can't be had. ``harmless``: the value that would change nothing."""

    def __init__(self, name: str, harmless: Any) -> None:
        hint = "" if harmless is None else f", or send {msgspec.json.encode(harmless).decode()}"
        super().__init__(f"it is not supported here; leave it out{hint}")
        self.name = name

    def at(self, place: str) -> RequestError:
        """Returns the answer to it; ``place`` is that of the part which has the field, empty for the body itself."""
        return unsupported(f"{place}.{self.name}" if place else self.name, str(self))


class Fields(Struct, frozen=True, kw_only=True):
    """Base of requests and their parts.

    ``REFUSED``: fields that are declared and can't be honoured, with the value besides null that asks for nothing.
    ``IGNORED``: fields, declared or not, that change nothing about an answer.
    ``COMPONENT``: the name in the OpenAPI document where it is not the struct's own. Generated clients name their types
    by it, so that it stays when a struct gets another name or place.
    """

    REFUSED: ClassVar[dict[str, Any]] = {}
    IGNORED: ClassVar[frozenset[str]] = frozenset()
    COMPONENT: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        for name, harmless in self.REFUSED.items():
            if (given := getattr(self, name)) is not None and given != harmless:
                raise RefusedFieldError(_wire_name(type(self), name), harmless)


def parts_of(types: Iterable[Any]) -> list[type[Fields]]:
    """Returns ``types`` and all that they are made of, each once, as far as they are ``Fields``."""
    found: dict[type[Fields], None] = {}
    waiting = [*types]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, type) and issubclass(part, Fields) and part not in found:
            found[part] = None
            waiting += get_type_hints(part).values()
        else:
            waiting += get_args(part)
    return list(found)


def described(type: type[Fields], properties: dict[str, Any]) -> dict[str, Any]:
    """Returns ``type``'s JSON schema properties, with nothing in them that a request can't have."""
    refused = {
        _wire_name(type, name): {"enum": [None] if harmless is None else [None, harmless], "description": REFUSED_TEXT}
        for name, harmless in type.REFUSED.items()
    }
    ignored = {name: {**properties.get(name, {}), "description": IGNORED_TEXT} for name in sorted(type.IGNORED)}
    return {**properties, **ignored, **refused}


@cache
def hints(type: type[Struct]) -> dict[str, Any]:
    """Returns the types of a struct's fields, with what annotates them."""
    return get_type_hints(type, include_extras=True)


@cache
def wire_names(type: type[Struct]) -> dict[str, str]:
    """Returns a struct's fields by their names in JSON."""
    return dict(zip(type.__struct_encode_fields__, type.__struct_fields__, strict=True))


def _wire_name(type: type[Struct], field: str) -> str:
    return type.__struct_encode_fields__[type.__struct_fields__.index(field)]
