"""What other tools have on this machine, as it is told."""

from __future__ import annotations

from msgspec import Struct


class StoreModel(Struct, frozen=True):
    """A model in another tool's store.

    name: as ``mlxr import`` takes it, ``ollama:llama3.2:1b`` say.
    path: of its file or folder; '' where that is nothing for who asks.
    size: in bytes, 0 where it can't be told.
    modified: seconds since the epoch.
    runs: whether it runs here; ``reason`` says why not.
    imported: what it is called here, '' where it is not.
    """

    name: str
    tool: str
    path: str
    size: int
    modified: float
    runs: bool
    reason: str = ""
    imported: str = ""
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    context_length: int = 0
    capabilities: list[str] = []


class StoreListing(Struct, frozen=True):
    """``problems``: what could not be looked into."""

    models: list[StoreModel] = []
    problems: list[str] = []
