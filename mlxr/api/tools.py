"""Tools that a request offers, which of them the answer may call, and the arguments of calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from mlxr.api.errors import invalid
from mlxr.runtime.messages.tokenizer import Tool, ToolCall

UNSEEN = "[There is an image here, and this model reads text alone.]"
"""What stands for an image in the result of a tool. The result is what the tool made it, and stays in the conversation:
a refusal would be the end of that."""

Offer = tuple[list[Tool], str]
"""The tools that are offered, and ``ChatPrompt.tool_choice``."""

MODES = ("auto", "none", "required")
"""What ``ChatPrompt.tool_choice`` is where it is no function's name."""


def make_tool(
    name: str,
    description: str | None,
    parameters: dict[str, Any] | None,
    strict: bool = False,
    *,
    place: str,
    schema_field: str = "parameters",
) -> Tool:
    """Returns a function that may be called, which the request has at ``place``; one without ``parameters``, which are
    in its ``schema_field``, takes none. Raises ``RequestError`` for one without a name."""
    if not name:
        field = f"{place}.name"
        raise invalid(f"`{field}` is missing", field)
    schema = {"type": "object", "properties": {}} if parameters is None else parameters
    return Tool(name, description or "", msgspec.json.encode(schema), strict, f"{place}.{schema_field}")


def offer(tools: list[Tool], choice: str | None) -> Offer:
    """Offers ``tools`` with a choice of none, auto or required; raises ``RequestError`` where none can be called."""
    if choice == "required" and not tools:
        raise invalid("`tool_choice` is required, and there are no `tools`", "tool_choice")
    return tools, choice or "auto"


def offer_named(tools: list[Tool], name: str) -> Offer:
    """Offers ``tools``, of which the one called ``name`` must be called; raises ``RequestError`` if there is none."""
    _refuse_unknown([name], tools)
    if name in MODES:
        message = f"`tool_choice` can't name the function {name!r}: it is a mode's word; give the function another name"
        raise invalid(message, "tool_choice")
    return tools, name


def offer_allowed(tools: list[Tool], names: Sequence[str], mode: str) -> Offer:
    """Offers those of ``tools`` that ``names`` has; raises ``RequestError`` for a name that is none of theirs, and
    where a call is required and no function is allowed."""
    _refuse_unknown(names, tools)
    if mode == "required" and not names:
        raise invalid("`tool_choice` requires a call, and its list of allowed tools is empty", "tool_choice")
    return [tool for tool in tools if tool.name in names], mode


def _refuse_unknown(names: Collection[str], tools: list[Tool]) -> None:
    known = [tool.name for tool in tools]
    for name in names:
        if name not in known:
            if not known:
                raise invalid(f"`tool_choice` names {name!r}, and there are no `tools`", "tool_choice")
            raise invalid(
                f"`tool_choice` names {name!r}, which is not among `tools` ({', '.join(known)})", "tool_choice"
            )


def past_call(id: str | None, name: str, arguments: object, *, field: str) -> ToolCall:
    """Returns a call that was made before, with ``arguments`` as ``arguments_text`` takes them. Raises ``RequestError``
    for one without a name, which the request has in ``field``."""
    if not name:
        raise invalid(f"`{field}` is missing", field)
    return ToolCall(id or None, name, arguments_text(arguments))


class PastFunction(Protocol):
    """What a past call says of its function."""

    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> object: ...


class PastCall(Protocol):
    """A past call in OpenAI's chat form, which Ollama's is, too."""

    @property
    def id(self) -> str | None: ...
    @property
    def function(self) -> PastFunction: ...


def past_calls(calls: Sequence[PastCall] | None, place: str) -> list[ToolCall]:
    """Returns the ``tool_calls`` of the message at ``place``. Raises ``RequestError`` as ``past_call`` does."""
    return [
        past_call(
            call.id, call.function.name, call.function.arguments, field=f"{place}.tool_calls[{index}].function.name"
        )
        for index, call in enumerate(calls or [])
    ]


def arguments_text(given: object) -> str:
    """Returns the arguments of a past call, whatever a client has made of them, as JSON text or the text they are."""
    if isinstance(given, str):
        return given or "{}"
    return "{}" if given is None else msgspec.json.encode(given).decode()


def arguments_object(text: str) -> dict[str, object]:
    """Returns a call's arguments as an object; what a model wrote instead of one stands under ``raw``."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, object])
    except msgspec.MsgspecError:
        return {"raw": text}
