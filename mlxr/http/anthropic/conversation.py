"""Anthropic's messages and tools in the runtime's terms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mlxr.api import server_tools
from mlxr.api.errors import invalid, unsupported
from mlxr.api.parameters import check_message_count
from mlxr.api.reasoning_round_trip import reasoning_of
from mlxr.api.tools import UNSEEN, make_tool, offer_named, past_call
from mlxr.http.anthropic.documents import KINDS, document_text, joined_text, no_blocks, no_text
from mlxr.http.anthropic.schema import (
    AnthropicBlock,
    AnthropicMessage,
    AnthropicTool,
    ContextManagement,
    Conversation,
    OutputFormat,
    ResultBlock,
    ThinkingTurns,
    ToolChoice,
)
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

CLEAR_THINKING = "clear_thinking_20251015"
IMAGE = "image"
SERVER_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
"""Calls that Anthropic's servers made; the types of their results end with ``_tool_result``."""


def chat_prompt(body: Conversation, settings: ServerSettings) -> ChatPrompt:
    """Raises ``RequestError`` naming the field that can't be had. An assistant's message at the end is continued."""
    check_message_count(body.messages, settings.max_messages)
    messages: list[ChatMessage] = []
    system = joined_text(body.system, "system")
    if system:
        messages.append(ChatMessage("system", system))
    last_of_user = max((at for at, message in enumerate(body.messages) if message.role == "user"), default=0)
    for index, message in enumerate(body.messages):
        if not (message.clear_at == "next_user_message" and index < last_of_user):
            messages += _turns(message, f"messages[{index}]")
    messages = edited(messages, body.context_management)
    left_out = left_out_tools(body)
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.tools or []) if index not in left_out]
    last = messages[-1] if messages else ChatMessage("user")
    return ChatPrompt(
        messages,
        tools=tools,
        tool_choice=_choice(body.tool_choice, tools),
        parallel_tool_calls=not (body.tool_choice and body.tool_choice.disable_parallel_tool_use),
        reasoning_effort=_reasoning_effort(body, after_tools=last.role == "tool"),
        continue_final=last.role == "assistant" and not last.tool_calls,
        reasoning_budget=body.thinking.budget_tokens if body.thinking and body.thinking.type == "enabled" else None,
    )


def left_out_tools(body: Conversation) -> frozenset[int]:
    """Which of the tools are left out, as Anthropic would run them."""
    return server_tools.left_out([tool.type for tool in body.tools or []])


def left_out_blocks(body: Conversation) -> list[str]:
    """Returns the places of what is left out: calls that Anthropic's servers made and answered, and images that tools
    gave."""
    found: list[str] = []
    for index, message in enumerate(body.messages):
        for at, block in enumerate(message.content if isinstance(message.content, list) else []):
            place = f"messages.{index}.content.{at}"
            if _by_servers(block.type):
                found.append(place)
            elif block.type == "tool_result" and isinstance(block.content, list):
                found += [f"{place}.content.{n}" for n, each in enumerate(block.content) if each.type == IMAGE]
    return found


def _by_servers(kind: str) -> bool:
    return kind in SERVER_CALLS or (kind.endswith("_tool_result") and kind != "tool_result")


def constraint(given: OutputFormat | None) -> Constraint | None:
    if given is None:
        return None
    return Constraint(ConstraintKind.JSON_SCHEMA, msgspec.json.encode(given.schema).decode())


def _turns(message: AnthropicMessage, place: str) -> list[ChatMessage]:
    """One message; tool results in it become turns of their own, before what the user says."""
    if isinstance(message.content, str):
        return [ChatMessage(message.role, message.content)]
    results: list[ChatMessage] = []
    text, thinking = [], []
    calls: list[ToolCall] = []
    kept = [(index, block) for index, block in enumerate(message.content) if not _by_servers(block.type)]
    if message.content and not kept:
        return []
    for index, block in kept:
        match block.type:
            case "text":
                text.append(block.text)
            case "document" | "search_result":
                text.append(document_text(block, f"{place}.content[{index}]"))
            case "thinking":
                thinking.append(block.thinking or reasoning_of(block.signature))
            case "redacted_thinking":
                pass
            case "tool_use":
                calls.append(_call(block, f"{place}.content[{index}]"))
            case "tool_result":
                results.append(_result(block, f"{place}.content[{index}]"))
            case other:
                raise no_text(other, f"{place}.content[{index}].type")
    own = ChatMessage(message.role, "\n".join(text), "".join(thinking), calls)
    return [*results, own] if text or calls or not results else results


def _call(block: AnthropicBlock, place: str) -> ToolCall:
    if not block.id:
        raise invalid(f"`{place}.id` is missing", f"{place}.id")
    return past_call(block.id, block.name, block.input, field=f"{place}.name")


def _result(block: AnthropicBlock, place: str) -> ChatMessage:
    if isinstance(block.content, dict):
        raise no_blocks(f"{place}.content")
    parts = [block.content] if isinstance(block.content, str) else _result_texts(block.content or [], place)
    text = "\n".join(parts)
    return ChatMessage("tool", f"Error: {text}" if block.is_error else text, tool_call_id=block.tool_use_id or None)


def _result_texts(blocks: Sequence[ResultBlock], place: str) -> list[str]:
    """Returns the text of each block of a tool's result, which is at ``place``."""
    texts: list[str] = []
    for index, block in enumerate(blocks):
        own = f"{place}.content[{index}]"
        if block.type == IMAGE:
            texts.append(UNSEEN)
            continue
        if block.type not in ("text", *KINDS):
            raise no_text(block.type, f"{own}.type")
        texts.append(block.text if block.type == "text" else document_text(block, own))
    return texts


def _tool(tool: AnthropicTool, place: str) -> Tool:
    if tool.type not in (None, "custom"):
        raise unsupported(
            f"{place}.type", f"{tool.type!r} is a tool of Anthropic's; describe your own by `input_schema`"
        )
    examples = [msgspec.json.encode(example).decode() for example in tool.input_examples or []]
    shown = ["Examples of its input:", *examples] if examples else []
    description = "\n".join(filter(None, [tool.description, *shown]))
    return make_tool(
        tool.name, description, tool.input_schema, bool(tool.strict), place=place, schema_field="input_schema"
    )


def _choice(given: ToolChoice | None, tools: list[Tool]) -> str:
    if given is None:
        return "auto"
    if given.type in ("any", "tool") and not tools:
        raise invalid(f"`tool_choice` is {given.type}, and there are no `tools`", "tool_choice")
    if given.type == "tool":
        if not given.name:
            raise invalid("`tool_choice.name` is missing", "tool_choice.name")
        return offer_named(tools, given.name)[1]
    return {"any": "required"}.get(given.type, given.type)


def _reasoning_effort(body: Conversation, *, after_tools: bool) -> str | None:
    """Off, or an effort, or on; without a word, or with ``adaptive`` alone, it is left to the model. ``after_tools``:
    the conversation ends with a tool's result."""
    kind = body.thinking.type if body.thinking else ""
    if kind == "disabled" or (kind == "between_tools" and not after_tools):
        return "none"
    effort = body.output_config.effort if body.output_config else None
    if effort:
        return {"xhigh": "high", "max": "high"}.get(effort, effort)
    return "on" if kind == "enabled" else None


def edited(messages: list[ChatMessage], management: ContextManagement | None) -> list[ChatMessage]:
    """``messages`` without the thinking that the request wants to have cleared."""
    for index, edit in enumerate(management.edits if management else []):
        if edit.type != CLEAR_THINKING:
            reason = f"{edit.type!r} is not done here; {CLEAR_THINKING} is"
            raise unsupported(f"context_management.edits[{index}].type", reason)
        if edit.keep == "all" or (isinstance(edit.keep, ThinkingTurns) and edit.keep.type == "all"):
            continue
        kept = (edit.keep.value if isinstance(edit.keep, ThinkingTurns) else None) or 1
        thought = [at for at, message in enumerate(messages) if message.role == "assistant"]
        old = set(thought[:-kept])
        messages = [replace(turn, reasoning="") if at in old else turn for at, turn in enumerate(messages)]
    return messages
