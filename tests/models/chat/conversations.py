"""Conversations that every template is tried with, and the templates."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Raw

from mlxr.models.chat import ChatTemplate
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall

DATA = Path(__file__).parents[2] / "data" / "templates"
NAMES = sorted(path.stem for path in DATA.glob("*.jinja"))
CITY = b'{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}'
TOOLS = [Tool("get_weather", "Weather of a city", Raw(CITY)), Tool("now", "The time")]

SYSTEM = ChatMessage("system", "Be kind.")
HELLO = ChatMessage("user", "Hello?")
CALLS = [
    ToolCall("call_1234567", "get_weather", '{"city": "Paris", "days": 2}'),
    ToolCall("call_7654321", "get_weather", '{"city": "Rome"}'),
]
TOOL_TURNS = [
    ChatMessage("user", "Weather in Paris and Rome?"),
    ChatMessage("assistant", reasoning="Two calls.", tool_calls=CALLS),
    ChatMessage("tool", "rain", tool_call_id="call_1234567"),
    ChatMessage("tool", "sun", tool_call_id="call_7654321"),
]
CONVERSATIONS = {
    "plain": ChatPrompt([SYSTEM, HELLO, ChatMessage("assistant", "Hi."), ChatMessage("user", "Bye.")]),
    "tools": ChatPrompt([SYSTEM, *TOOL_TURNS], tools=TOOLS),
    "thinking": ChatPrompt([HELLO], reasoning_effort="on"),
    "no thinking": ChatPrompt([HELLO], reasoning_effort="none"),
    "continued": ChatPrompt([HELLO, ChatMessage("assistant", "Once upon a ")], continue_final=True),
}


def prompt_of(conversation: dict[str, Any]) -> ChatPrompt:
    """One of ``conversations.json``, which are in transformers' form."""
    tools = [tool["function"] for tool in conversation.get("tools", [])]
    return ChatPrompt(
        [message_of(message) for message in conversation["messages"]],
        tools=[Tool(tool["name"], tool["description"], json.dumps(tool["parameters"]).encode()) for tool in tools],
        template_args=conversation.get("arguments", {}),
        continue_final=conversation.get("continue_final", False),
    )


def message_of(message: dict[str, Any]) -> ChatMessage:
    calls = [(call["id"], call["function"]) for call in message.get("tool_calls", [])]
    return ChatMessage(
        message["role"],
        message["content"],
        reasoning=message.get("reasoning_content", ""),
        tool_calls=[ToolCall(id, called["name"], json.dumps(called["arguments"])) for id, called in calls],
        tool_call_id=message.get("tool_call_id", ""),
        name=message.get("name", ""),
    )


def template(name: str) -> ChatTemplate:
    source = (DATA / f"{name}.jinja").read_text()
    return ChatTemplate(source, bos="<BOS>", eos="<EOS>", clock=lambda: datetime(2026, 1, 2))
