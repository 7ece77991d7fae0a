"""``chat_template_kwargs``: variables that a client gives to its model's template."""

from __future__ import annotations

import keyword
from typing import Any, Final

import msgspec

from mlxr.api.errors import invalid

FIELDS: Final = {
    "messages": "messages",
    "tools": "tools",
    "functions": "tools",
    "add_generation_prompt": "add_generation_prompt",
    "continue_final_message": "continue_final_message",
    "chat_template": "chat_template",
}
"""What a request says in fields of its own."""

TAKEN: Final = frozenset(
    {"self", "super", "loop", "caller", "varargs", "kwargs", "range", "dict", "namespace", "cycler", "joiner",
     "raise_exception", "strftime_now", "true", "false", "none"}
)  # fmt: skip
"""What has a meaning of its own in a template."""


def template_args(given: dict[str, Any]) -> dict[str, Any]:
    """Returns ``given``; raises ``RequestError`` for names that are no free ones, and values that messages can't
    carry."""
    for name in given:
        if field := FIELDS.get(name):
            raise _refused(name, f"the request's own `{field}` says it")
        if name in TAKEN or name.startswith("__") or not name.isidentifier() or keyword.iskeyword(name):
            raise _refused(name, "a template can have no variable of that name")
    try:
        msgspec.msgpack.encode(given)
    except OverflowError as error:
        raise invalid(f"`chat_template_kwargs`: {error}", "chat_template_kwargs") from error
    return given


def _refused(name: str, why: str) -> Exception:
    field = f"chat_template_kwargs.{name[:60]}"
    return invalid(f"`{field}`: leave it out: {why}", field)
