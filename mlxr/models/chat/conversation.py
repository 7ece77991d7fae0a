"""A ``ChatPrompt``'s messages as the dictionaries that a template understands."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.prompted import call_text, describe_tools, python_call_text, result_text
from mlxr.models.chat.traits import Message, Traits
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

SHORT_ID_LENGTH = 9


def tool_dicts(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools in OpenAI's shape. Raises ``ChatError`` where a schema is not a JSON object."""
    return [_tool_dict(tool) for tool in tools]


def conversation(prompt: ChatPrompt, tools: Sequence[Tool], traits: Traits) -> list[Message]:
    """The prompt's messages, written as a template with ``traits`` reads them.

    What a template has no form for goes into what it has: tools and a system text into the first turn, calls into an
    assistant's text, results into a user's.
    """
    turns = identified(prompt.messages)
    names = {call.id: call.name for message in turns for call in message.tool_calls}
    messages: list[Message] = []
    if tools and not traits.tools:
        # The form that the model is told to use is the form that past calls have.
        traits = dataclasses.replace(traits, tool_calls=False, tool_results=False)
    for message in turns:
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


def identified(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """``messages`` with an id for calls that lack one. Results that lack one are theirs, in order."""
    found: list[ChatMessage] = []
    waiting: list[ToolCall] = []
    for index, message in enumerate(messages):
        if any(not call.id for call in message.tool_calls):
            calls = [replace(call, id=call.id or f"call_{index}_{at}") for at, call in enumerate(message.tool_calls)]
            waiting += [call for call, given in zip(calls, message.tool_calls, strict=True) if not given.id]
            message = replace(message, tool_calls=calls)
        elif message.role == "tool" and not message.tool_call_id:
            answered = next((call for call in waiting if message.name in ("", call.name)), None)
            if answered is not None:
                waiting.remove(answered)
                message = replace(message, tool_call_id=answered.id)
        found.append(message)
    return found


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


def joined(first: Any, second: Any) -> Any:
    """Two contents, each text or a list of parts, as one."""
    if not first or not second:
        return first or second
    if isinstance(first, list):
        return [*first, *_parts(second)]
    return f"{first}\n\n{second}"


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
    """A call's arguments as an object, or as the text that they are where a model did not come to their end."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments
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
        return [{**messages[0], "content": joined(messages[0]["content"], text)}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _typed(message: Message) -> Message:
    return {**message, "content": _parts(message["content"])} if message["content"] is not None else message


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


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
