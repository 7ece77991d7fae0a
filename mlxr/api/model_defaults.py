"""What a model brings with it: a system prompt, opening messages and options, where a request has none of its own."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.api.gateway import Gateway
from mlxr.api.pending_models import not_installed
from mlxr.models.names import quoted
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import ModelEntry
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt


class _Turn(msgspec.Struct):
    role: str
    content: str = ""


_turns = msgspec.json.Decoder(list[_Turn])


def installed(gateway: Gateway, model: str) -> ModelEntry:
    """Returns the catalogue's entry; raises ``RequestError`` for an unknown name, and another for one that is on its
    way."""
    if entry := gateway.find(model):
        return entry
    raise RequestError(not_installed(gateway.engines(), model))


def listed(gateway: Gateway, model: str) -> ModelEntry:
    """Returns the catalogue's entry; raises ``RequestError`` for a name that is not in it, whatever is on its way."""
    if entry := gateway.find(model):
        return entry
    raise RequestError(ErrorInfo(ErrorCode.MODEL_NOT_FOUND, f"model {quoted(model)} not found", "model"))


def options_of(entry: ModelEntry | None) -> dict[str, Any]:
    """Returns the model's own options, under Ollama's names."""
    return msgspec.json.decode(entry.options, type=dict[str, Any]) if entry else {}


def with_model_defaults(prompt: ChatPrompt, entry: ModelEntry | None) -> ChatPrompt:
    """Returns ``prompt`` behind the model's opening messages, and its system prompt where the conversation has none."""
    if entry is None:
        return prompt
    opening = [ChatMessage(turn.role, turn.content) for turn in _turns.decode(entry.messages)]
    messages = [*opening, *prompt.messages]
    if entry.system and not any(message.role == "system" for message in messages):
        messages.insert(0, ChatMessage("system", entry.system))
    return replace(prompt, messages=messages)
