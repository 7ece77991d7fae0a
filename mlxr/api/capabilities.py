"""What a model must be able to do for a request to make sense."""

from __future__ import annotations

from mlxr.api.errors import unsupported_parameter
from mlxr.runtime.messages.frontend import ModelEntry

_WORDS = {"vision": "images"}
"""Capabilities that a message calls by another name."""


def require_capability(capability: str, entry: ModelEntry | None, field: str) -> None:
    """Raises ``RequestError`` naming ``field`` for a model that lacks ``capability``."""
    if entry is not None and capability not in entry.capabilities:
        message = f'"{entry.name}" does not support {_WORDS.get(capability, capability)} (`{field}`)'
        raise unsupported_parameter(message, field)


def require_thinking(think: str | None, entry: ModelEntry | None, field: str) -> None:
    """The same for ``ChatPrompt.think``: every model can leave thinking out."""
    if think not in (None, "none"):
        require_capability("thinking", entry, field)
