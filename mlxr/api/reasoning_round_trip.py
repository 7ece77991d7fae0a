"""Reasoning in the fields where other servers put it encrypted, for clients that hand nothing else of it back. Nothing
is hidden here: it is the user's own machine."""

from __future__ import annotations

import base64
import binascii

_MARK = b"mlxr:"


def encrypted_content(text: str) -> str:
    """Returns reasoning as such a field has it."""
    return base64.b64encode(_MARK + text.encode()).decode()


def reasoning_of(content: str | None) -> str:
    """Returns the text of ``encrypted_content``, and nothing of what others have encrypted."""
    try:
        raw = base64.b64decode(content or "", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.removeprefix(_MARK).decode("utf-8", "replace") if raw.startswith(_MARK) else ""
