"""What is told of other tools' stores: what is in them, and what became of an import."""

from __future__ import annotations

from msgspec import Struct


class Imported(Struct, frozen=True):
    """``found``: what it was named in the store. ``name``: in the catalogue. ``unused``: what it has that mlxr does not
    use."""

    found: str
    name: str
    size: int
    unused: list[str] = []


class NotImported(Struct, frozen=True):
    """``reason``: a whole sentence."""

    found: str
    reason: str


class ImportResult(Struct, frozen=True):
    """What became of each model that was asked for. ``problems``: what could not be looked into. ``looked_in``: folders
    of the stores, where nothing was found in them; empty where paths are nothing for who asks."""

    imported: list[Imported] = []
    refused: list[NotImported] = []
    problems: list[str] = []
    looked_in: list[str] = []


class FoundListing(Struct, frozen=True):
    """One model in a tool's store, for a listing.

    name: as mlxr takes it, ``ollama:llama3.2:1b`` say.
    path: of its file or folder; '' where that is nothing for who asks.
    size: in bytes, 0 where it can't be told.
    modified: seconds since the epoch.
    runs: whether it runs here; ``reason`` says why not.
    imported: what it is called in the catalogue, '' where it is not there.
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
    unused: list[str] = []


class StoresListing(Struct, frozen=True):
    """``problems``: what could not be looked into, one line each."""

    models: list[FoundListing] = []
    problems: list[str] = []
