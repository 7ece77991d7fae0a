"""What a model brings with it: a system prompt, opening messages and options, where a request has none of its own."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.api.gateway import Gateway
from mlxr.api.parameters import most_drafted
from mlxr.api.pending_models import not_installed, not_listed
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate

SAMPLING = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "seed": "seed",
}
"""Options by Ollama's names, and what ``Sampling`` and other surfaces' requests call them."""


class _Turn(msgspec.Struct):
    role: str
    content: str = ""


_turns = msgspec.json.Decoder(list[_Turn])


def installed(gateway: Gateway, model: str) -> ModelEntry:
    """Returns the catalogue's entry; raises ``RequestError`` for an unknown name, and another for one that is on its
    way."""
    if entry := gateway.find(model):
        return entry
    raise RequestError(not_installed(gateway.engines(), gateway.models(), model))


def listed(gateway: Gateway, model: str) -> ModelEntry:
    """Returns the catalogue's entry; raises ``RequestError`` for a name that is not in it, whatever is on its way."""
    if entry := gateway.find(model):
        return entry
    raise RequestError(not_listed(gateway.models(), model))


def engine_of(gateway: Gateway, entry: ModelEntry) -> EngineInfo | None:
    """Returns the engine that has the model, None where none does."""
    return next((engine for engine in gateway.engines() if engine.model == entry.name), None)


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


def with_option_defaults(command: Generate, body: object, entry: ModelEntry | None) -> Generate:
    """Returns ``command`` with the model's own options where the request that it was made of, ``body``, names none."""
    options = options_of(entry)
    if not options:
        return command
    given: dict[str, Any] = {
        field: options[name]
        for name, field in SAMPLING.items()
        if _is_number(options.get(name)) and getattr(body, field, None) is None
    }
    if "top_k" in given and given["top_k"] <= 0:
        given["top_k"] = None
    if "seed" in given and given["seed"] < 0:
        del given["seed"]
    stop = options.get("stop") or []
    stops = [stop] if isinstance(stop, str) else [text for text in stop if isinstance(text, str) and text]
    left_open = command.max_tokens is None and not command.unlimited
    return replace(
        command,
        sampling=replace(command.sampling, **given),
        stop_strings=command.stop_strings or stops,
        max_tokens=_positive(options.get("num_predict")) if left_open else command.max_tokens,
        context_length=command.context_length or _positive(options.get("num_ctx")),
        most_drafted=_drafted(options) if command.most_drafted is None else command.most_drafted,
    )


def _drafted(options: dict[str, Any]) -> int | None:
    value = options.get("draft_num_predict")
    return most_drafted(int(value)) if isinstance(value, int | float) else None


def _positive(value: Any) -> int | None:
    return int(value) if _is_number(value) and value > 0 else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
