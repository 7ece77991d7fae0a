"""Whether an engine has the draft model that a request names."""

from __future__ import annotations

from collections.abc import Callable

from mlxr.models.names import key
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

ANY = ("", "none", "auto")
"""What may be said of every model: no draft model, or whichever there is."""


def require_drafter(wished: str | None, engine: EngineInfo, find: Callable[[str], ModelEntry | None]) -> None:
    """Raises ``RequestError`` where a request names a draft model that its engine does not have: which that is, is said
    when the model is loaded."""
    if wished is None or wished in ANY:
        return
    entry = find(wished)
    if engine.drafter and key(entry.name if entry is not None else wished) == key(engine.drafter):
        return
    there = f"its draft model is {engine.drafter}" if engine.drafter else "it was loaded without a draft model"
    message = (
        f"{engine.model} does not have {wished!r} to draft for it: {there}; name it in speculation.draft_model, or as "
        'the parameter draft_model of the model, and load that anew, or leave "draft_model" out'
    )
    raise RequestError(ErrorInfo(ErrorCode.INVALID, message, "draft_model"))
