"""A ``ChatPrompt``'s messages as the dictionaries that a template understands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.prompted import call_text, describe_tools, python_call_text, result_text
from mlxr.models.chat.traits import Message, Traits
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

SHORT_ID_LENGTH = 9
Transform = Callable[[list[Message]], list[Message]]


def tool_dicts(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools in OpenAI's shape. Raises ``ChatError`` where a schema is not a JSON object."""
    return [_tool_dict(tool) for tool in tools]


def conversation(prompt: ChatPrompt, tools: Sequence[Tool], traits: Traits) -> list[Message]:
    """The prompt's messages, written as a template with ``traits`` reads them.

    What a template has no form for goes into what it has: tools and a system text into the first turn, calls into an
    assistant's text, results into a user's.
    """
    names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
    messages: list[Message] = []
    if tools and not traits.tools:
        # The form that the model is told to use is the form that past calls have.
        traits = replace(traits, tool_calls=False, tool_results=False)
    for message in prompt.messages:
        messages += _expand(message, names, traits)
    if tools and not traits.tools:
        messages = _with_system(messages, describe_tools(tool_dicts(tools), parallel=prompt.several_calls))
    elif tools and traits.tools == "system":
        messages = _with_system(messages, "")
        listed = [tool["function"] for tool in tool_dicts(tools)]
        messages[0] = {**messages[0], "tools": json.dumps(listed, ensure_ascii=False)}
    if not traits.system:
        messages = fold_system(messages)
    return [_typed(message) for message in messages] if traits.typed_content else messages


def fold_system(messages: list[Message]) -> list[Message]:
    """System texts as the beginning of the first user turn."""
    texts = [message["content"] for message in messages if message["role"] == "system" and message["content"]]
    others = [message for message in messages if message["role"] != "system"]
    if not texts:
        return others
    first = next((i for i, message in enumerate(others) if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": "\n\n".join(texts)}, *others]
    texts.append(others[first]["content"])
    return [*others[:first], {**others[first], "content": "\n\n".join(filter(None, texts))}, *others[first + 1 :]]


def merge_turns(messages: list[Message]) -> list[Message]:
    """Neighbours of one role as one message, and all system texts as one at the front: for templates that insist on
    turns that alternate."""
    systems = [message for message in messages if message["role"] == "system"]
    merged: list[Message] = []
    for message in [*systems, *(message for message in messages if message["role"] != "system")]:
        last = merged[-1] if merged else None
        if last and last["role"] == message["role"] != "tool" and not (last.keys() | message.keys()) & {"tool_calls"}:
            merged[-1] = {**last, "content": _joined(last["content"], message["content"])}
        else:
            merged.append(message)
    return merged


def split_calls(messages: list[Message]) -> list[Message]:
    """One call a message, each followed by its result."""
    split: list[Message] = []
    results = {message.get("tool_call_id"): message for message in messages if message["role"] == "tool"}
    moved: set[Any] = set()
    for message in messages:
        calls = message.get("tool_calls") or []
        if message["role"] == "tool" and message.get("tool_call_id") in moved:
            continue
        if len(calls) < 2:
            split.append(message)
            continue
        for position, call in enumerate(calls):
            split.append({**message, "content": message["content"] if position == 0 else "", "tool_calls": [call]})
            if call["id"] in results and call["id"] not in moved:
                split.append(results[call["id"]])
                moved.add(call["id"])
    return split


def _expand(message: ChatMessage, names: dict[str, str], traits: Traits) -> list[Message]:
    if message.role in ("system", "developer"):
        known = message.role == "developer" and traits.developer
        return [{"role": message.role if known else "system", "content": message.content}]
    if message.role == "tool":
        return [_result(message, names, traits)]
    if message.role == "assistant":
        return [_assistant(message, traits)]
    turn: Message = {"role": message.role, "content": message.content}
    return [turn | {"name": message.name} if message.name else turn]


def _assistant(message: ChatMessage, traits: Traits) -> Message:
    turn: Message = {"role": "assistant", "content": message.content}
    if message.reasoning:
        turn["reasoning_content"] = turn["thinking"] = message.reasoning
    if not message.tool_calls:
        return turn
    if not traits.tool_calls:
        write = python_call_text if traits.python_calls and traits.tools else call_text
        parts = [message.content, *(write(call.name, _arguments(call)) for call in message.tool_calls)]
        return turn | {"content": "\n".join(filter(None, parts))}
    if message.content:
        # Templates that show both refuse to (gpt-oss): the visible text stays.
        turn.pop("thinking", None)
    elif traits.null_content:
        turn["content"] = None
    return turn | {"tool_calls": [_call(call, traits) for call in message.tool_calls]}


def _call(call: ToolCall, traits: Traits) -> dict[str, Any]:
    arguments: Any = call.arguments or "{}" if traits.text_arguments else _arguments(call)
    return {
        "id": _identity(call.id, traits),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _result(message: ChatMessage, names: dict[str, str], traits: Traits) -> Message:
    name = message.name or names.get(message.tool_call_id, "")
    if not traits.tool_results:
        return {"role": "user", "content": result_text(message.content)}
    return {
        "role": "tool",
        "content": message.content,
        "tool_call_id": _identity(message.tool_call_id, traits),
        "name": name,
    }


def _arguments(call: ToolCall) -> Any:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError as error:
        raise ChatError(f"arguments of the tool call {call.name!r} are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ChatError(f"arguments of the tool call {call.name!r} are not a JSON object")
    return arguments


def _identity(text: str, traits: Traits) -> str:
    """Mistral's templates insist on ids of nine letters and digits; equal ids stay equal."""
    if not traits.short_ids or (len(text) == SHORT_ID_LENGTH and text.isalnum()):
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT_ID_LENGTH]


def _with_system(messages: list[Message], text: str) -> list[Message]:
    """``text`` after the first system message, or as one."""
    if messages and messages[0]["role"] in ("system", "developer"):
        return [{**messages[0], "content": _joined(messages[0]["content"], text)}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _joined(first: Any, second: Any) -> str:
    return "\n\n".join(part for part in (first, second) if part)


def _typed(message: Message) -> Message:
    content = message["content"]
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message


def _tool_dict(tool: Tool) -> dict[str, Any]:
    try:
        parameters = json.loads(bytes(tool.parameters) or b"{}")
    except ValueError as error:
        raise ChatError(f"parameters of the tool {tool.name!r} are not JSON: {error}", "tools") from error
    if not isinstance(parameters, dict):
        raise ChatError(f"parameters of the tool {tool.name!r} are not a JSON schema object", "tools")
    if not parameters:
        parameters = {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
