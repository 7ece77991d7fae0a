"""What is told of other tools' stores: what is in them, and what became of an import."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.tool_stores import StoreModel


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


class FoundListing(StoreModel, frozen=True):
    """A model in a tool's store, and what it has that mlxr does not use."""

    unused: list[str] = []


class StoresListing(Struct, frozen=True):
    """``problems``: what could not be looked into, one line each."""

    models: list[FoundListing] = []
    problems: list[str] = []
