"""What Ollama gives its templates: a conversation as values with the fields that its own types have.

Source: Ollama's ``template/template.go`` and ``api/types.go``. Of a tool's schema only what those types have comes
through, and a map's keys come in order. A function and its parameters are written as JSON, as the templates of its
library were made for (``"function": {{ .Function }}``); newer releases of Ollama write Go's own notation there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlxr.models.chat.go_template.values import (
    JsonList,
    JsonMap,
    Key,
    NoList,
    Ordered,
    Struct,
    StructType,
    Types,
    Value,
)

EXACT = 1 << 53
"""Up to this, whole numbers are the floats that Go reads them as; larger ones stay as they are."""

_MESSAGE = StructType(
    "*template.templateMessage",
    {name: Key(name) for name in ("Role", "Content", "Thinking", "Images", "ToolCalls", "ToolName", "ToolCallID")},
)
_CALL = StructType("template.templateToolCall", {name: Key(name) for name in ("ID", "Function")})
_CALLED = StructType("template.templateToolCallFunction", {name: Key(name) for name in ("Index", "Name", "Arguments")})
_TOOL = StructType(
    "template.templateTool",
    {"Type": Key("type"), "Items": Key("items", "nil"), "Function": Key("function")},
    is_json=True,
)
_FUNCTION = StructType(
    "template.templateToolFunction",
    {"Name": Key("name"), "Description": Key("description"), "Parameters": Key("parameters")},
    is_json=True,
)
_PARAMETERS = StructType(
    "template.templateToolFunctionParameters",
    {
        "Type": Key("type"),
        "Defs": Key("$defs", "nil"),
        "Items": Key("items", "nil"),
        "Required": Key("required", "empty"),
        "Properties": Key("properties"),
    },
    is_json=True,
)
_PROPERTY = StructType(
    "api.ToolProperty",
    {
        "AnyOf": Key("anyOf", "empty"),
        "Type": Key("type", "empty"),
        "Items": Key("items", "nil"),
        "Description": Key("description", "empty"),
        "Enum": Key("enum", "empty"),
        "Properties": Key("properties", "nil"),
        "Required": Key("required", "empty"),
    },
)


def plain(value: Any) -> Value:
    """Returns a JSON value as Go reads it: numbers are floats."""
    match value:
        case bool():
            return value
        case int() if abs(value) <= EXACT:
            return float(value)
        case list():
            return [plain(each) for each in value]
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
    return value


def collate(messages: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Returns the system texts together, and the messages with neighbours of one role as one; results of tools stay
    apart."""
    system: list[str] = []
    collated: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content") or ""
        if message["role"] == "system":
            system.append(content)
        last = collated[-1] if collated else None
        if last is not None and last["role"] == message["role"] != "tool":
            last["content"] += f"\n\n{content}"
        else:
            collated.append({**message, "content": content})
    return "\n\n".join(system), collated


def message_value(message: dict[str, Any]) -> Struct:
    """Returns a message as templates have it."""
    return Struct(
        _MESSAGE,
        {
            "Role": message["role"],
            "Content": message["content"],
            "Thinking": message.get("thinking") or message.get("reasoning_content") or "",
            "Images": NoList(),
            "ToolCalls": [_call(at, call) for at, call in enumerate(message.get("tool_calls") or [])] or NoList(),
            "ToolName": message.get("name") or "" if message["role"] == "tool" else "",
            "ToolCallID": message.get("tool_call_id") or "",
        },
    )


def tool_values(tools: Sequence[dict[str, Any]] | None) -> JsonList:
    """Returns the tools as templates have them."""
    made = JsonList(_tool(tool) for tool in tools or ())
    made.missing = not tools
    return made


def _call(index: int, call: dict[str, Any]) -> Struct:
    function = call["function"]
    given = function.get("arguments")
    arguments = JsonMap(plain(given) if isinstance(given, dict) else {})
    called = Struct(_CALLED, {"Index": index, "Name": function["name"], "Arguments": arguments})
    return Struct(_CALL, {"ID": call.get("id") or "", "Function": called})


def _tool(tool: dict[str, Any]) -> Struct:
    function = tool.get("function") or {}
    schema = function.get("parameters") or {}
    properties = schema.get("properties")
    known = JsonMap({name: _property(each) for name, each in _mapping(properties).items()})
    known.missing = not isinstance(properties, dict)
    parameters = Struct(
        _PARAMETERS,
        {
            "Type": _text(schema.get("type")),
            "Defs": plain(schema.get("$defs")),
            "Items": plain(schema.get("items")),
            "Required": _texts(schema.get("required")),
            "Properties": known,
        },
    )
    fields = {
        "Name": _text(function.get("name")),
        "Description": _text(function.get("description")),
        "Parameters": parameters,
    }
    return Struct(
        _TOOL,
        {
            "Type": _text(tool.get("type")),
            "Items": plain(tool.get("items")),
            "Function": Struct(_FUNCTION, fields),
        },
    )


def _property(schema: Any) -> Struct:
    given = _mapping(schema)
    type = given.get("type")
    inner = given.get("properties")
    return Struct(
        _PROPERTY,
        {
            "AnyOf": [_property(each) for each in given.get("anyOf") or [] if isinstance(each, dict)] or NoList(),
            "Type": Types([type] if isinstance(type, str) else _texts(type)),
            "Items": plain(given.get("items")),
            "Description": _text(given.get("description")),
            "Enum": plain(given["enum"]) if isinstance(given.get("enum"), list) else NoList(),
            "Properties": Ordered({name: _property(each) for name, each in inner.items()})
            if isinstance(inner, dict)
            else None,
            "Required": _texts(given.get("required")),
        },
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else NoList()
