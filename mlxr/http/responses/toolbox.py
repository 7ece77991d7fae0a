"""The tools of a Responses request, as models know them: functions, each by one name.

Of a namespace's functions the names are joined with its own; answers call them apart again.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.api import server_tools as hosted
from mlxr.api.errors import unsupported
from mlxr.http.openai.conversation import make_tool
from mlxr.http.responses.schema import Tool
from mlxr.runtime.messages.tokenizer import Tool as OfferedTool

NAMESPACE = "namespace"


def hosted_tools(tools: Sequence[Tool]) -> frozenset[int]:
    """Which of ``tools`` are left out, as OpenAI would run them."""
    return hosted.left_out([tool.type for tool in tools])


def offered(tools: Sequence[Tool], place: str = "tools", namespace: str | None = None) -> list[OfferedTool]:
    """What the model is told of; raises ``RequestError`` for a tool that is no function."""
    left_out = hosted_tools(tools)
    found: list[OfferedTool] = []
    for index, tool in enumerate(tools):
        if tool.type == NAMESPACE and namespace is None:
            found += offered(tool.tools or [], f"{place}[{index}].tools", tool.name)
        elif tool.type == "function":
            name = joined(namespace, tool.name)
            found.append(make_tool(name, tool.description, tool.parameters, bool(tool.strict)))
        elif index not in left_out:
            reason = f"only tools of type 'function' run here, not {tool.type!r}"
            raise unsupported(f"{place}[{index}].type", reason)
    return found


def apart(tools: Sequence[Tool]) -> dict[str, dict[str, str]]:
    """How an answer names a namespace's functions, by the names that the model knows."""
    spaces = [tool for tool in tools if tool.type == NAMESPACE]
    return {
        joined(space.name, tool.name): {"name": tool.name, "namespace": space.name}
        for space in spaces
        for tool in space.tools or []
    }


def joined(namespace: str | None, name: str) -> str:
    return f"{namespace.removesuffix('__')}__{name}" if namespace else name
