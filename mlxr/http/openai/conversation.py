"""OpenAI chat messages and tools in the runtime's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mlxr.api.content_blocks import arguments_text
from mlxr.api.errors import invalid, unsupported
from mlxr.http.openai.schema import ChatRequest, ContentPart, Message, ToolChoice
from mlxr.http.openai.schema import FunctionTool as FunctionToolIn
from mlxr.http.openai.template_args import template_args
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

_ROLES = {"developer": "system", "function": "tool"}
"""Roles that templates know by another name."""

_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


def chat_prompt(body: ChatRequest, settings: ServerSettings) -> ChatPrompt:
    """Raises ``RequestError`` naming the field that can't be had."""
    check_count(body.messages, settings)
    offered = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.tools or [])]
    tools, choice = tools_and_choice(offered, body.tool_choice)
    return ChatPrompt(
        messages=[_message(message, f"messages[{index}]") for index, message in enumerate(body.messages)],
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        think=effort(body.reasoning_effort),
        template_args=template_args(body.chat_template_kwargs or {}),
        template=body.chat_template,
        continue_final=_continues(body),
        opens_answer=body.add_generation_prompt is not False,
    )


def check_count(messages: Sequence[object], settings: ServerSettings) -> None:
    if len(messages) > settings.max_messages:
        raise invalid(f"`messages` has {len(messages)} entries; at most {settings.max_messages}", "messages")


def effort(given: str | None) -> str | None:
    """``reasoning_effort`` as ``ChatPrompt.think``."""
    return {"minimal": "low", "xhigh": "high", "max": "high"}.get(given, given) if given else None


def tools_and_choice(tools: list[Tool], choice: str | ToolChoice | None) -> tuple[list[Tool], str]:
    """The tools on offer, and ``ChatPrompt.tool_choice``; ``allowed_tools`` narrows the former."""
    if choice is None:
        return tools, "auto"
    if isinstance(choice, ToolChoice):
        return _narrowed(tools, choice)
    if choice == "required" and not tools:
        raise invalid("`tool_choice` is required, and there are no `tools`", "tool_choice")
    return tools, choice


def text_of(content: str | list[ContentPart] | None, place: str) -> str:
    """A message's text; raises ``RequestError`` for parts that aren't text."""
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for index, part in enumerate(content or []):
        if part.type not in _TEXT_PARTS and part.refusal is None:
            raise unsupported(f"{place}.content[{index}].type", f"{part.type!r} parts need a model that takes them")
        parts.append(part.text or part.refusal or "")
    return "".join(parts)


def _message(message: Message, place: str) -> ChatMessage:
    return ChatMessage(
        role=_ROLES.get(message.role, message.role),
        content=text_of(message.content, place) or message.refusal or "",
        reasoning=message.reasoning_content or message.reasoning or "",
        tool_calls=[
            ToolCall(call.id or "", call.function.name, arguments_text(call.function.arguments))
            for call in message.tool_calls or []
        ],
        tool_call_id=message.tool_call_id or "",
        name=message.name or "",
    )


def _tool(tool: FunctionToolIn, place: str) -> Tool:
    if tool.type != "function":
        raise unsupported(f"{place}.type", f"only tools of type 'function' run here, not {tool.type!r}")
    if tool.function is None:
        raise invalid(f"`{place}.function` is missing", f"{place}.function")
    function = tool.function
    return make_tool(function.name, function.description, function.parameters, bool(function.strict))


def make_tool(name: str, description: str | None, parameters: dict[str, Any] | None, strict: bool = False) -> Tool:
    schema = {"type": "object", "properties": {}} if parameters is None else parameters
    return Tool(name, description or "", msgspec.json.encode(schema), strict)


def _narrowed(tools: list[Tool], choice: ToolChoice) -> tuple[list[Tool], str]:
    if choice.type == "allowed_tools":
        if choice.allowed_tools is None:
            raise invalid("`tool_choice.allowed_tools` is missing", "tool_choice.allowed_tools")
        names = [tool.function.name for tool in choice.allowed_tools.tools if tool.function]
        _refuse_unknown(names, tools)
        return [tool for tool in tools if tool.name in names], choice.allowed_tools.mode
    if choice.function is None:
        raise invalid("`tool_choice.function` is missing", "tool_choice.function")
    _refuse_unknown([choice.function.name], tools)
    return tools, choice.function.name


def _refuse_unknown(names: list[str], tools: list[Tool]) -> None:
    known = [tool.name for tool in tools]
    for name in names:
        if name not in known:
            raise invalid(
                f"`tool_choice` names {name!r}, which is not among `tools` ({', '.join(known)})", "tool_choice"
            )


def _continues(body: ChatRequest) -> bool:
    if body.continue_final_message and body.add_generation_prompt:
        raise invalid(
            "`continue_final_message` and `add_generation_prompt` exclude each other", "add_generation_prompt"
        )
    if body.continue_final_message and body.messages[-1].role != "assistant":
        raise invalid("`continue_final_message` needs an assistant's message at the end", "continue_final_message")
    return bool(body.continue_final_message)
