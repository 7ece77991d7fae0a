"""A ``ChatPrompt``'s messages as the dictionaries that a template understands."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.escaping import NO_ESCAPER, Escaper
from mlxr.models.chat.template_capabilities import TemplateCapabilities, TemplateMessage
from mlxr.models.chat.tool_prompt import call_text, describe_tools, result_text
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

SHORT_ID_LENGTH = 9
TIMES_ENCODED = 3
"""How often arguments may have been made JSON text of JSON text."""


def tool_dicts(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools in OpenAI's shape. Raises ``ChatError`` where a schema is not a JSON object."""
    return [_tool_dict(tool) for tool in tools]


def conversation(
    prompt: ChatPrompt, tools: Sequence[Tool], capabilities: TemplateCapabilities, escaper: Escaper = NO_ESCAPER
) -> list[TemplateMessage]:
    """Returns the prompt's messages as a template with ``capabilities`` reads them. ``escaper`` escapes
    what people wrote.

    What a template has no form for goes into what it has: tools and a system text into the first turn, calls into an
    assistant's text, results into a user's.
    """
    turns = identified(prompt.messages)
    names = {call.id: call.name for message in turns for call in message.tool_calls if call.id}
    messages: list[TemplateMessage] = []
    if tools and not capabilities.tools:
        # The form that the model is told to use is the form that past calls have.
        capabilities = dataclasses.replace(capabilities, tool_calls=False, tool_results=False)
    for message in turns:
        messages += _expand(message, names, capabilities, escaper)
    if tools and not capabilities.tools:
        messages = _with_system(
            messages, describe_tools(escaper.value(tool_dicts(tools)), parallel=prompt.several_calls)
        )
    elif tools and capabilities.tools == "system":
        messages = _with_system(messages, "")
        listed = [tool["function"] for tool in escaper.value(tool_dicts(tools))]
        messages[0] = {**messages[0], "tools": json.dumps(listed, ensure_ascii=False)}
    if not capabilities.system:
        messages = fold_system(messages)
    return [_typed(message) for message in messages] if capabilities.typed_content else messages


def identified(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Returns ``messages`` with an id for calls that lack one. Results that lack one are theirs, in order."""
    found: list[ChatMessage] = []
    waiting: list[ToolCall] = []
    for index, message in enumerate(messages):
        if any(not call.id for call in message.tool_calls):
            calls = [replace(call, id=call.id or f"call_{index}_{at}") for at, call in enumerate(message.tool_calls)]
            waiting += [call for call, given in zip(calls, message.tool_calls, strict=True) if not given.id]
            message = replace(message, tool_calls=calls)
        elif message.role == "tool" and not message.tool_call_id:
            answered = next((call for call in waiting if not message.name or message.name == call.name), None)
            if answered is not None:
                waiting.remove(answered)
                message = replace(message, tool_call_id=answered.id)
        found.append(message)
    return found


def fold_system(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Returns the system texts as the beginning of the first user turn."""
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


def _expand(
    message: ChatMessage, names: dict[str, str], capabilities: TemplateCapabilities, escaper: Escaper
) -> list[TemplateMessage]:
    if message.role == "tool":
        return [_result(message, names, capabilities, escaper)]
    if message.role == "assistant":
        return [_assistant(message, capabilities, escaper)]
    content = escaper.text(message.content)
    if message.role in ("system", "developer"):
        known = message.role == "developer" and capabilities.developer
        return [{"role": message.role if known else "system", "content": content}]
    turn: TemplateMessage = {"role": message.role, "content": content}
    return [turn | {"name": escaper.text(message.name)} if message.name else turn]


def _assistant(message: ChatMessage, capabilities: TemplateCapabilities, escaper: Escaper) -> TemplateMessage:
    content = escaper.text(message.content)
    turn: TemplateMessage = {"role": "assistant", "content": content}
    if message.reasoning:
        turn["reasoning_content"] = turn["thinking"] = escaper.text(message.reasoning)
    if not message.tool_calls:
        return turn
    if not capabilities.tool_calls:
        write = capabilities.past_call if capabilities.tools else call_text
        calls = [write(escaper.text(call.name), escaper.value(_arguments(call))) for call in message.tool_calls]
        return turn | {"content": "\n".join(filter(None, [content, *calls]))}
    if content:
        # Templates that show both refuse to (gpt-oss): the visible text stays.
        turn.pop("thinking", None)
    elif capabilities.null_content:
        turn["content"] = None
    return turn | {"tool_calls": [_call(call, capabilities, escaper) for call in message.tool_calls]}


def _call(call: ToolCall, capabilities: TemplateCapabilities, escaper: Escaper) -> dict[str, Any]:
    parsed = _arguments(call)
    arguments = _argument_text(call, parsed, escaper) if capabilities.text_arguments else escaper.value(parsed)
    return {
        "id": _identity(call.id, capabilities, escaper),
        "type": "function",
        "function": {"name": escaper.text(call.name), "arguments": arguments},
    }


def _result(
    message: ChatMessage, names: dict[str, str], capabilities: TemplateCapabilities, escaper: Escaper
) -> TemplateMessage:
    name = message.name or names.get(message.tool_call_id or "", "")
    content = escaper.text(message.content)
    if not capabilities.tool_results:
        return {"role": "user", "content": result_text(content)}
    return {
        "role": "tool",
        "content": content,
        "tool_call_id": _identity(message.tool_call_id, capabilities, escaper),
        "name": escaper.text(name),
    }


def _arguments(call: ToolCall) -> dict[str, Any] | str:
    """Returns a call's arguments as an object, or as the text that they are where a model did not come to their end.

    Clients hand back what models make of them: an object written twice is the object, nothing or null is an empty one,
    and any other JSON is the text that it is.
    """
    arguments: Any = call.arguments
    for _ in range(TIMES_ENCODED):
        if not isinstance(arguments, str):
            break
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            break
    if arguments is None:
        return {}
    return arguments if isinstance(arguments, dict) else call.arguments


def _argument_text(call: ToolCall, arguments: dict[str, Any] | str, escaper: Escaper) -> str:
    """Returns the arguments as JSON text, in the client's own spelling where that is of an object."""
    if isinstance(arguments, str):
        return escaper.text(arguments)
    if call.arguments.lstrip().startswith("{"):
        return escaper.json(call.arguments)
    return json.dumps(escaper.value(arguments), ensure_ascii=False)


def _identity(id: str | None, capabilities: TemplateCapabilities, escaper: Escaper) -> str:
    """Mistral's templates insist on ids of nine letters and digits; equal ids stay equal."""
    text = id or ""
    if not capabilities.short_ids or (len(text) == SHORT_ID_LENGTH and text.isalnum()):
        return escaper.text(text)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT_ID_LENGTH]


def _with_system(messages: list[TemplateMessage], text: str) -> list[TemplateMessage]:
    """``text`` after the first system message, or as one."""
    if messages and messages[0]["role"] in ("system", "developer"):
        return [{**messages[0], "content": joined(messages[0]["content"], text)}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _typed(message: TemplateMessage) -> TemplateMessage:
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
