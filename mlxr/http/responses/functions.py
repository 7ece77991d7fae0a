"""The tools of a Responses request, as models know them: functions, each by one name.

Of a namespace's functions the names are joined with its own; answers call them apart again.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.api import server_tools
from mlxr.api.errors import unsupported
from mlxr.api.tools import make_tool
from mlxr.http.responses.schema import ResponsesTool
from mlxr.runtime.messages.tokenizer import Tool

NAMESPACE = "namespace"


def left_out_tools(tools: Sequence[ResponsesTool]) -> frozenset[int]:
    """Which of ``tools`` are left out, as OpenAI would run them."""
    return server_tools.left_out([tool.type for tool in tools])


def offered(tools: Sequence[ResponsesTool], place: str = "tools", namespace: str | None = None) -> list[Tool]:
    """Returns what the model is told of; raises ``RequestError`` for a tool that is no function."""
    left_out = left_out_tools(tools)
    found: list[Tool] = []
    for index, tool in enumerate(tools):
        if tool.type == NAMESPACE and namespace is None:
            found += offered(tool.tools or [], f"{place}[{index}].tools", tool.name)
        elif tool.type == "function":
            name = qualified_name(namespace, tool.name)
            strict = bool(tool.strict)
            found.append(make_tool(name, tool.description, tool.parameters, strict, place=f"{place}[{index}]"))
        elif index not in left_out:
            reason = f"only tools of type 'function' run here, not {tool.type!r}"
            raise unsupported(f"{place}[{index}].type", reason)
    return found


def split_names(tools: Sequence[ResponsesTool]) -> dict[str, dict[str, str]]:
    """Returns how an answer names a namespace's functions, by the names that the model knows."""
    spaces = [tool for tool in tools if tool.type == NAMESPACE]
    return {
        qualified_name(space.name, tool.name): {"name": tool.name, "namespace": space.name}
        for space in spaces
        for tool in space.tools or []
    }


def qualified_name(namespace: str | None, name: str) -> str:
    """Returns what the model knows the function ``name`` of a namespace by; "" where it has no name."""
    return f"{namespace.removesuffix('__')}__{name}" if namespace and name else name
