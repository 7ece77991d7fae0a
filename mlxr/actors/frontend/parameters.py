"""What telemetry says of how a request is to be answered, and of who asks: nothing that the client wrote."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.tokenizer import Asked, ChatPrompt, Embed, Generate

DIGEST_DIGITS: Final = 64
SHOWN_DIGITS: Final = 8

_USUAL: Final = Sampling()


def shown_caller(name: str | None) -> str:
    """Returns an address as it is, and of a key's digest the beginning, by which people tell keys apart."""
    if name is not None and len(name) == DIGEST_DIGITS:
        return f"key {name[:SHOWN_DIGITS]}"
    return name or ""


def shown_parameters(command: Asked) -> dict[str, Any]:
    """Returns the parameters that ``command`` sets, by their names in ``Generate`` and ``Sampling``; texts as how many
    there are of them."""
    match command:
        case Generate():
            return _generate(command)
        case Embed():
            shown: dict[str, Any] = {"task": "embed", "truncate": command.truncate}
            return shown if command.prompt_name is None else {**shown, "prompt_name": True}
        case _:
            return {"task": type(command).__name__.lower()}


def _shown(name: str, value: Any) -> Any:
    """Returns a sampling parameter as it is told; seeds have more digits than numbers of JSON's readers."""
    if name == "seed":
        return str(value)
    return len(value) if isinstance(value, dict) else value


def _generate(command: Generate) -> dict[str, Any]:
    usual = msgspec.structs.asdict(_USUAL)
    shown = {
        name: _shown(name, value)
        for name, value in msgspec.structs.asdict(command.sampling).items()
        if value != usual[name] or name == "temperature"
    }
    numbers = {
        "max_tokens": command.max_tokens,
        "n": command.n if command.n != 1 else None,
        "context_length": command.context_length,
        "priority": command.priority or None,
        "stop_strings": len(command.stop_strings) or None,
        "stop_tokens": len(command.stop_tokens) or None,
        "prompt_logprobs": command.prompt_logprobs,
        "most_drafted": command.most_drafted,
        "draft_model": command.draft_model,
        "prediction": len(command.prediction) or None,
        "constraint": command.constraint.kind.value if command.constraint else None,
        "adapters": [adapter.name for adapter in command.adapters] or None,
    }
    if isinstance(prompt := command.prompt, ChatPrompt):
        numbers |= {
            "messages": len(prompt.messages),
            "tools": len(prompt.tools) or None,
            "reasoning_effort": prompt.reasoning_effort,
        }
    return {**shown, **{name: value for name, value in numbers.items() if value is not None}}
