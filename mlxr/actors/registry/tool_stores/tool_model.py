"""What is found in another tool's store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mlxr.actors.registry.catalogue.entry import Overrides

LABELS = {"ollama": "Ollama", "lmstudio": "LM Studio", "huggingface": "Hugging Face", "llama.cpp": "llama.cpp"}
"""What people call the tools, by what names call them."""
MOST_ENTRIES = 65536
"""Files and folders looked at in one store."""


@dataclass(frozen=True, slots=True)
class ToolModel:
    """A model in a tool's store.

    tool: ``ollama``, ``lmstudio``, ``huggingface`` or ``llama.cpp``.
    name: what the tool calls it.
    path: its GGUF file, one of several or a folder; where ``problem`` says that there is none, what is to blame.
    read_digest: returns its SHA-256, from the store itself where that has it; raises ``OSError``, ``ValueError`` and
        ``ModelFileError``.
    catalogue_name: what it is called once it is imported.
    source: what ``mlxr pull`` takes to fetch it from where the tool got it; '' where that is not known.
    problem: why it can't be used, a phrase that goes behind its name; '' where nothing is wrong yet.
    unused: what it has that mlxr does not use, in words.
    overrides: reads what the tool lays over its files; raises ``OSError`` and ``ValueError``.
    adapters: files that are added to it, with their SHA-256.
    """

    tool: str
    name: str
    path: Path
    read_digest: Callable[[], str] = str
    catalogue_name: str = ""
    source: str = ""
    problem: str = ""
    unused: tuple[str, ...] = ()
    overrides: Callable[[], Overrides] = Overrides
    adapters: tuple[tuple[str, Path], ...] = ()

    @property
    def full_name(self) -> str:
        """As people name it to mlxr."""
        return f"{self.tool}:{self.name}"


@dataclass(slots=True)
class Scan:
    """What a look into stores found. ``problems``: what could not be looked into, one line each, with a way out."""

    models: list[ToolModel] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
