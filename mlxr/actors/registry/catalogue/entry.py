"""What the catalogue holds of one model, and what the other actors are told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from mlxr.actors.registry.catalogue.model_configs import NOTHING, ModelConfig
from mlxr.models.chat.renderers import added_capabilities, family_for
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Adapter
from mlxr.runtime.model_info import ModelInfo


class AppliedAdapter(Struct, frozen=True):
    """An adapter that a model was made with.

    digest: SHA-256 in hexadecimal, of its file or of its folder's listing.
    path: of its file or folder, within ``HOME/models`` where it lies there.
    name: of the file that it came in.
    """

    digest: str
    path: str
    name: str


class Overrides(Struct, frozen=True, omit_defaults=True):
    """What ``create`` laid over the files.

    template, system, license: texts; empty where the files' own stand.
    options: by Ollama's names.
    messages: as in Ollama's chat.
    parent: the name that ``create`` was given to start from.
    capabilities: those of ``template``, empty without one.
    adapters: what is added to the model, one after another.
    renderer, parser: names of Ollama's (``mlxr.models.chat.renderers``); with a renderer ``template`` is not used.
    requires: the release of Ollama that the model asks for.
    """

    template: str = ""
    system: str = ""
    options: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    license: str = ""
    parent: str = ""
    capabilities: list[str] = []
    adapters: list[AppliedAdapter] = []
    renderer: str = ""
    parser: str = ""
    requires: str = ""

    @property
    def used_template(self) -> str:
        """What replaces the files' own chat template; empty where nothing does."""
        return "" if self.renderer else self.template


class Blob(Struct, frozen=True):
    """Model files by content.

    digest: SHA-256 in hexadecimal, of the file or of the folder's listing.
    path: absolute, a file or a folder.
    size: in bytes.
    info: what the files say.
    tool: whose store they stay in, ``ollama`` say; '' for files that are mlxr's own.
    fingerprint: what the system said of files in a tool's store, or at a path, when they were looked at.
    """

    digest: str
    path: Path
    size: int
    info: ModelInfo
    tool: str = ""
    fingerprint: str = ""


class CatalogueEntry(Struct, frozen=True):
    """One catalogued name.

    modified: seconds since the epoch.
    source: what it was pulled from, as ``mlxr pull`` takes it.
    adapters: those that it was made with, as requests have them.
    config: what files say of models of that name, under ``overrides`` and over the model's own files.
    """

    name: str
    blob: Blob
    modified: float
    source: str = ""
    aliases: list[str] = []
    overrides: Overrides = Overrides()
    adapters: list[Adapter] = []
    config: ModelConfig = NOTHING

    @property
    def digest(self) -> str:
        """Of what the model answers with: its files', or one of its own where something was laid over them. Clients
        take names of one digest for one model."""
        if self.overrides == Overrides(parent=self.overrides.parent):
            return self.blob.digest
        # What an adapter's file was called changes no answer.
        adapters = [structs.replace(adapter, name="") for adapter in self.overrides.adapters]
        laid_over = structs.replace(self.overrides, parent="", adapters=adapters)
        return hashlib.sha256(self.blob.digest.encode() + msgspec.json.encode(laid_over, order="sorted")).hexdigest()

    @property
    def info(self) -> ModelInfo:
        """What the model's files say, where ``overrides`` say nothing else."""
        own, over = self.blob.info, self.overrides
        able = (over.capabilities if over.used_template else []) or own.capabilities
        return structs.replace(
            own,
            capabilities=list(dict.fromkeys([*able, *added_capabilities(over.parser)])),
            license=over.license or own.license,
            template=self._template or own.template,
        )

    @property
    def system(self) -> str:
        """The system prompt, of whoever says one first."""
        return self.overrides.system or self.config.system

    @property
    def options(self) -> dict[str, Any]:
        """The parameters that were laid over the files, and under them those that files on the model say."""
        return {**self.config.parameters, **self.overrides.options}

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The opening messages, of whoever says some first."""
        return self.overrides.messages or [structs.asdict(turn) for turn in self.config.messages]

    @property
    def _template(self) -> str:
        """What replaces the files' own chat template; empty where nothing does."""
        return "" if self.overrides.renderer else self.overrides.template or self.config.template

    def adapted(self, name: str, adapters: Iterable[CatalogueEntry]) -> CatalogueEntry:
        """Returns the model as ``MODEL+ADAPTER`` names it; itself without any."""
        added = [Adapter(each.name, digest=each.digest, path=str(each.blob.path)) for each in adapters]
        return structs.replace(self, name=name, aliases=[], adapters=[*self.adapters, *added]) if added else self

    def message(self) -> ModelEntry:
        """Returns what the frontend is told."""
        return ModelEntry(
            name=self.name,
            digest=self.digest,
            size=self.blob.size,
            modified=self.modified,
            path=str(self.blob.path),
            info=self.info,
            aliases=self.aliases,
            source=self.source,
            system=self.system,
            options=msgspec.json.encode({**self.blob.info.options, **self.options}),
            messages=msgspec.json.encode(self.messages),
            adapters=self.adapters,
            tool=self.blob.tool,
        )

    def engine_spec(self) -> EngineSpec:
        """Returns what an engine for it is made of."""
        return EngineSpec(
            model=self.name,
            digest=self.blob.digest,
            path=str(self.blob.path),
            info=structs.replace(self.info, license="", template=""),
            template=self._template,
            family=family_for(self.overrides.renderer, self.overrides.parser),
            draft_model=self.options.get("draft_model"),
        )
