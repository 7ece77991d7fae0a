"""What the catalogue holds of one model, and what goes out to the others: ``Record`` to ``ModelEntry`` and
``EngineSpec``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.frontend import ModelEntry


class Facts(Struct, frozen=True):
    """What a model's own files say. ``parameters`` counts weights; ``quantization`` is llama.cpp's file type name.
    ``unusable``: why the model can't run here, a phrase that reads well after its name; empty where it can."""

    format: str
    architecture: str
    parameters: int = 0
    quantization: str = ""
    context_length: int = 0
    embedding_length: int = 0
    capabilities: list[str] = []
    license: str = ""
    template: str = ""
    unusable: str = ""


class Overrides(Struct, frozen=True, omit_defaults=True):
    """What ``create`` laid over the files. ``options`` by Ollama's names; ``messages`` as in Ollama's chat;
    ``capabilities``: those of ``template``, empty without one."""

    template: str = ""
    system: str = ""
    options: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    license: str = ""
    parent: str = ""
    capabilities: list[str] = []


class Blob(Struct, frozen=True):
    """Model files by content. ``path`` is absolute, a file or a folder; ``size`` in bytes; ``digest`` in hex."""

    digest: str
    path: Path
    size: int
    facts: Facts


class Record(Struct, frozen=True):
    """One catalogued name. ``modified`` in seconds since the epoch; ``source`` as it was given to ``pull``."""

    name: str
    blob: Blob
    modified: float
    source: str = ""
    aliases: list[str] = []
    overrides: Overrides = Overrides()

    @property
    def digest(self) -> str:
        """Of what the model answers with: its files', or one of its own where something was laid over them. Clients
        take names of one digest for one model."""
        if self.overrides == Overrides(parent=self.overrides.parent):
            return self.blob.digest
        laid_over = structs.replace(self.overrides, parent="")
        return hashlib.sha256(self.blob.digest.encode() + msgspec.json.encode(laid_over, order="sorted")).hexdigest()

    def entry(self) -> ModelEntry:
        facts, overrides = self.blob.facts, self.overrides
        return ModelEntry(
            name=self.name,
            digest=self.digest,
            size=self.blob.size,
            modified=self.modified,
            path=str(self.blob.path),
            format=facts.format,
            architecture=facts.architecture,
            family=facts.architecture,
            parameters=facts.parameters,
            quantization=facts.quantization,
            context_length=facts.context_length,
            embedding_length=facts.embedding_length,
            capabilities=overrides.capabilities or facts.capabilities,
            aliases=self.aliases,
            license=overrides.license or facts.license,
            source=self.source,
            template=overrides.template or facts.template,
            system=overrides.system,
            options=msgspec.json.encode(overrides.options),
            messages=msgspec.json.encode(overrides.messages),
        )

    def spec(self) -> EngineSpec:
        facts, overrides = self.blob.facts, self.overrides
        return EngineSpec(
            model=self.name,
            digest=self.blob.digest,
            path=str(self.blob.path),
            architecture=facts.architecture,
            format=facts.format,
            capabilities=overrides.capabilities or facts.capabilities,
            parameters=facts.parameters,
            size=self.blob.size,
            context_length=facts.context_length,
            embedding_length=facts.embedding_length,
            template=overrides.template,
        )
