"""What a pull says while it runs, in Ollama's words."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Progress(Struct, frozen=True):
    """``completed`` of ``total`` bytes (0 while unknown). ``digest``: the model file's SHA-256 as ``sha256:HEX``,
    empty while unknown."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """The ``Report`` of whoever need not know."""


def pulling(label: str, digest: str, total: int, completed: int) -> Progress:
    """Returns how far one download is; ``label`` stands in where the digest is not known before the end."""
    shown = digest[:12] if digest else label
    return Progress(f"pulling {shown}", f"sha256:{digest}" if digest else "", total, min(completed, total or completed))
