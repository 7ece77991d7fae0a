"""Workarounds for templates that refuse a conversation: what it says stays, and its form gets plainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxr.models.chat.conversation import joined
from mlxr.models.chat.template_capabilities import TemplateMessage
from mlxr.models.chat.tool_prompt import call_text

Transform = Callable[[list[TemplateMessage]], list[TemplateMessage]]


def merge_turns(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Joins neighbours of one role to one message, and all system texts as one at the front: for templates that
    insist on turns that alternate."""
    systems = [message for message in messages if message["role"] == "system"]
    merged: list[TemplateMessage] = []
    for message in [*systems, *(message for message in messages if message["role"] != "system")]:
        last = merged[-1] if merged else None
        if last and last["role"] == message["role"] != "tool" and not (last.keys() | message.keys()) & {"tool_calls"}:
            merged[-1] = {**last, "content": joined(last["content"], message["content"])}
        else:
            merged.append(message)
    return merged


def split_calls(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Splits calls: one a message, each followed by its result."""
    split: list[TemplateMessage] = []
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


def speak_unanswered(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Turns calls that have no result into what the assistant says: for templates that insist on one."""
    answered = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
    spoken: list[TemplateMessage] = []
    for message in messages:
        calls = message.get("tool_calls") or []
        if calls and not any(call["id"] in answered for call in calls):
            text = "\n".join(call_text(**call["function"]) for call in calls)
            message = {"role": message["role"], "content": joined(message["content"], text)}
        spoken.append(message)
    return spoken


def wrap_arguments(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Turns arguments that are text into the only member of an object: for templates that go through them by name."""
    return [
        {**message, "tool_calls": [_wrapped(call) for call in message["tool_calls"]]}
        if message.get("tool_calls")
        else message
        for message in messages
    ]


def _wrapped(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    if not isinstance(function["arguments"], str):
        return call
    return {**call, "function": {**function, "arguments": {"raw": function["arguments"]}}}


def answer_results(messages: list[TemplateMessage]) -> list[TemplateMessage]:
    """Puts an empty answer between the results of calls and what a user says next: for templates that insist on
    one."""
    answered: list[TemplateMessage] = []
    for message in messages:
        if message["role"] == "user" and answered and answered[-1]["role"] == "tool":
            empty: Any = [] if isinstance(message["content"], list) else ""
            answered.append({"role": "assistant", "content": empty})
        answered.append(message)
    return answered


def full_tools(variables: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the tools in the variable ``name``, with empty descriptions where they have none, and an empty list where
    there are none: for templates that are only for tools, and that put descriptions together."""
    tools = variables.get(name or "tools")
    if isinstance(tools, str):
        return {}
    return {name or "tools": [_described(tool) for tool in tools or []]}


def _described(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_described(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _described(value) for key, value in schema.items()}
    # A property may be called type, and is no type then.
    return {"description": "", **inner} if isinstance(inner.get("type"), str) and "function" not in inner else inner


PLAINER: tuple[tuple[Transform, ...], ...] = tuple(
    (*calls, *turns)
    for calls in ((), (wrap_arguments,), (speak_unanswered, wrap_arguments))
    for turns in ((), (split_calls,), (merge_turns,), (split_calls, merge_turns))
)
WORKAROUNDS = PLAINER + tuple((*transforms, answer_results) for transforms in PLAINER)
"""Rewritings to try, in turn, on a conversation that the template refuses. Every other one splits calls."""
