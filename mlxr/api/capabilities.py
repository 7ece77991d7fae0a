"""What a model must be able to do for a request to make sense."""

from __future__ import annotations

from mlxr.api.errors import unsupported_parameter
from mlxr.runtime.messages.catalogue import ModelEntry

_WORDS = {"vision": "images"}
"""Capabilities that a message calls by another name."""


def require_capability(capability: str, entry: ModelEntry | None, field: str) -> None:
    """Raises ``RequestError`` naming ``field`` for a model that lacks ``capability``."""
    if entry is not None and capability not in entry.info.capabilities:
        message = f'"{entry.name}" does not support {_WORDS.get(capability, capability)} (`{field}`)'
        raise unsupported_parameter(message, field)


def require_reasoning(effort: str | None, entry: ModelEntry | None, field: str) -> None:
    """The same for ``ChatPrompt.reasoning_effort``: every model can leave thinking out."""
    if effort not in (None, "none"):
        require_capability("thinking", entry, field)
