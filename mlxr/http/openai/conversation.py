"""Chat completions' conversations in the runtime's terms."""

from __future__ import annotations

from msgspec.structs import replace

from mlxr.api.errors import invalid
from mlxr.api.parameters import reasoning_effort
from mlxr.api.tools import Offer, offer, offer_allowed, offer_named
from mlxr.http import chat_messages
from mlxr.http.openai.schema import ChatRequest, FunctionName, ToolChoice
from mlxr.runtime.messages.tokenizer import ChatPrompt, Tool


def chat_prompt(body: ChatRequest, most: int) -> ChatPrompt:
    """Raises ``RequestError`` naming the field that can't be had, ``messages`` where there are more than ``most``."""
    prompt = chat_messages.chat_prompt(body.messages, body, most)
    tools, choice = _offer(prompt.tools, body.tool_choice)
    return replace(
        prompt,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        reasoning_effort=_effort(body),
        reasoning_budget=body.reasoning.max_tokens if body.reasoning is not None else None,
    )


def _effort(body: ChatRequest) -> str | None:
    given = body.reasoning
    if given is not None and given.enabled is False:
        return "none"
    if effort := (given and given.effort) or body.reasoning_effort:
        return reasoning_effort(effort)
    return "on" if given is not None and (given.enabled or given.max_tokens) else None


def _offer(tools: list[Tool], choice: str | ToolChoice | None) -> Offer:
    if not isinstance(choice, ToolChoice):
        return offer(tools, choice)
    if choice.type == "allowed_tools":
        if choice.allowed_tools is None:
            raise invalid("`tool_choice.allowed_tools` is missing", "tool_choice.allowed_tools")
        allowed = enumerate(choice.allowed_tools.tools)
        names = [_name(tool.function, f"tool_choice.allowed_tools.tools[{index}]") for index, tool in allowed]
        return offer_allowed(tools, names, choice.allowed_tools.mode)
    return offer_named(tools, _name(choice.function, "tool_choice"))


def _name(function: FunctionName | None, place: str) -> str:
    if function is None:
        raise invalid(f"`{place}.function` is missing", f"{place}.function")
    return function.name
