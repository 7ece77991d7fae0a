"""One model at a registry that speaks Ollama's protocol: its addresses, its manifest, its small layers.

``GET /v2/NAMESPACE/MODEL/manifests/TAG``, ``GET /v2/NAMESPACE/MODEL/blobs/sha256:DIGEST``: Docker's registry API
(distribution specification 1.0).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yarl import URL

from mlxr.actors.registry.catalogue.files import DigestMismatch
from mlxr.actors.registry.ollama.access import PULL, RegistryAccess, known_login
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt, registry_url
from mlxr.actors.registry.ollama.manifest import (
    MANIFEST_TYPE,
    MOST_BYTES,
    OCI_TYPE,
    BadManifest,
    Layer,
    Manifest,
    read_manifest,
)
from mlxr.actors.registry.ollama.name import OllamaName
from mlxr.actors.registry.sources.transfer.http_client import HttpClient, read_short
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.models import names
from mlxr.runtime.errors import ModelError, PullError


class RegistryModel:
    """A model's place at its registry.

    client: whose connections are used.
    name: as people typed it.
    base: the registry's address.
    access: what it is told of who asks.
    """

    def __init__(self, client: HttpClient, name: OllamaName, base: URL, access: RegistryAccess) -> None:
        self.client = client
        self.name = name
        self.access = access
        self._base = base

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        name: OllamaName,
        at: RegistryAt = OLLAMAS_OWN,
        actions: str = PULL,
        limits: TransferLimits = DEFAULT_LIMITS,
    ) -> AsyncIterator[RegistryModel]:
        """Connects to nothing yet; raises ``PullError`` for a host that may not be spoken to as the name says, and
        ``ConfigError``."""
        base = registry_url(name, at)
        async with HttpClient.open(limits) as client:
            host = base.with_user(None).authority
            yield cls(client, name, base, RegistryAccess(client, name, host, actions, known_login(host)))

    @property
    def host(self) -> str:
        """With its port; never the name and password that ``models.registry`` may have before it."""
        return self._base.with_user(None).authority

    def url(self, *parts: str) -> str:
        """Returns the address of something of this model's."""
        return str(self._base.joinpath("v2", self.name.namespace, self.name.model, *parts))

    @property
    def manifest_url(self) -> str:
        return self.url("manifests", self.name.tag)

    async def manifest(self) -> Manifest:
        """Raises ``ModelNotFound``, ``PullError``, and for an answer that is no manifest ``PullError``, too."""
        retries = Retries(self.client.limits, self.manifest_url, self.client.limits.first_attempts)
        while True:
            try:
                data = await self._manifest_bytes()
                break
            except Interrupted as failure:
                await retries.again(failure)
        try:
            return read_manifest(data)
        except BadManifest as error:
            what = names.quoted(self.name.shortest)
            raise PullError(f"what {self.host} gives for {what} {error}; is it a registry of Ollama's kind?") from None

    async def _manifest_bytes(self) -> bytes:
        accepted = {"Accept": f"{MANIFEST_TYPE}, {OCI_TYPE}"}
        async with self.client.get(self.manifest_url, accepted, self.access) as response:
            data = await read_short(response, MOST_BYTES, self.client.limits)
        if len(data) > MOST_BYTES:
            raise PullError(f"{self.host} sends a manifest of more than {MOST_BYTES >> 20} MiB")
        return data

    def blob(self, layer: Layer, name: str) -> HttpFile:
        """Returns the file of a layer, which is called ``name``."""
        url = self.url("blobs", layer.digest)
        return HttpFile(self.client, url, name, layer.size, layer.digest, layer.digest, _BlobAccess(self, layer))

    async def read(self, layer: Layer) -> bytes:
        """All of a small layer, checked. Raises ``PullError``, ``DigestMismatch`` for other bytes among them."""
        data = await self.blob(layer, layer.media_type.rpartition(".")[2]).read(0, layer.size) if layer.size else b""
        found = hashlib.sha256(data).hexdigest()
        if found != layer.hex:
            raise DigestMismatch(
                f"a layer of {names.quoted(self.name.shortest)} has SHA-256 {found}, but should have {layer.hex}; "
                "nothing was kept: pull again"
            )
        return data


class _BlobAccess:
    """The model's access, which says of a blob that is not there whose fault it is."""

    def __init__(self, model: RegistryModel, layer: Layer) -> None:
        self._model = model
        self._layer = layer
        self.headers = model.access.headers
        self.renew = model.access.renew

    def refusal(self, status: int, headers: object) -> ModelError | None:
        if status == 404:
            return PullError(
                f"{self._model.host} lists {self._layer.digest[:19]} of {names.quoted(self._model.name.shortest)} and "
                "does not have it; whoever pushed it should push it again"
            )
        return self._model.access.refusal(status, {})
