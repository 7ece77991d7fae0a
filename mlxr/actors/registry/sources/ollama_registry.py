"""Models from registries that speak Ollama's protocol: ``llama3.2:1b``, ``namespace/model:tag``, and so on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt
from mlxr.actors.registry.ollama.layers import read_config, read_overrides, short_layers, unused
from mlxr.actors.registry.ollama.manifest import ADAPTER, BadManifest, Layer, Manifest, model_layer
from mlxr.actors.registry.ollama.name import OllamaName, parse_name
from mlxr.actors.registry.ollama.registry import RegistryModel
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.source import Fetched, FetchedAdapter
from mlxr.actors.registry.sources.transfer.download import download_model, fetch_remote
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.models import names
from mlxr.runtime.errors import PullError

_HUB = ("hf.co", "huggingface.co")
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """A model at a registry.

    model: its name there.
    at: which registry that is, and how it may be spoken to.
    """

    model: OllamaName
    at: RegistryAt = OLLAMAS_OWN

    @classmethod
    def recognise(cls, name: str, registry: RegistryAt = OLLAMAS_OWN) -> RegistrySource | None:
        """MODEL[:TAG], with NAMESPACE/ or HOST/NAMESPACE/ before it."""
        parsed = None if name.strip().lower().startswith(_WEB) else _parsed(name)
        return cls(parsed, registry) if parsed else None

    @classmethod
    def recognise_address(cls, name: str, registry: RegistryAt = OLLAMAS_OWN) -> RegistrySource | None:
        """http://HOST/NAMESPACE/MODEL:TAG, which the tag tells from the address of a file."""
        addressed = name.strip().lower().startswith(_WEB) and ":" in name.rpartition("/")[2]
        parsed = _parsed(name) if addressed else None
        return cls(parsed, registry) if parsed else None

    @property
    def name(self) -> str:
        return names.tidy(self.model.shortest)

    @property
    def spelled(self) -> str:
        return f"http://{self.model.shortest}" if self.model.plain_http else self.model.shortest

    @property
    def lasting(self) -> bool:
        return False

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[RemoteModel]:
        # Which registry names without a host are for, the user of this machine says.
        spoken = limits if self.model.host else replace(limits, public_only=False)
        async with RegistryModel.open(self.model, self.at, limits=spoken) as registry:
            manifest = await registry.manifest()
            texts = await _texts(registry, manifest)

            def read(layer: Layer) -> bytes:
                return texts[layer.digest]

            try:
                config = read_config(manifest, read)
                layer = model_layer(manifest, config)
                overrides = read_overrides(manifest, config, read)
            except BadManifest as error:
                raise PullError(f"{names.quoted(self.spelled)} {error}") from None
            yield RemoteModel(
                (registry.blob(layer, "model"),),
                self.spelled,
                aliases=(),
                limits=limits,
                lasting=False,
                overrides=overrides,
                adapters=tuple(registry.blob(each, f"{each.hex[:12]}.gguf") for each in manifest.of(ADAPTER)),
                unused=tuple(unused(manifest)),
            )

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        assert remote is not None, "a registry can be looked into"
        for each in remote.unused:
            report(Progress(f"leaving out {each}"))
        if not remote.adapters:
            return await fetch_remote(remote, staging, report)
        whole = replace(remote, files=(*remote.files, *remote.adapters), folder=True)
        folder, digests = await download_model(whole, staging, report)
        adapters = [FetchedAdapter(folder / each.name, digests[each.name], each.name) for each in remote.adapters]
        model = remote.files[0].name
        return Fetched(folder / model, digests[model], remote.pinned, adapters=tuple(adapters))


def _parsed(name: str) -> OllamaName | None:
    parsed = parse_name(name)
    return None if parsed is None or parsed.host.casefold() in _HUB or names.local_file(name) else parsed


async def _texts(registry: RegistryModel, manifest: Manifest) -> dict[str, bytes]:
    """The small layers by their digests, all asked for at once. Raises as ``RegistryModel.read``."""
    found: dict[str, bytes] = {}

    async def fetch(layer: Layer) -> None:
        found[layer.digest] = await registry.read(layer)

    try:
        layers = {layer.digest: layer for layer in short_layers(manifest)}
    except BadManifest as error:
        raise PullError(f"{names.quoted(registry.name.shortest)} {error}") from None
    try:
        async with anyio.create_task_group() as tasks:
            for layer in layers.values():
                tasks.start_soon(fetch, layer)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return found
