"""What names mean here: the catalogue, and beside it local files and what other tools keep."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, lies_within, stat_model
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader, require_usable
from mlxr.actors.registry.sources.transfer.public_hosts import require_public
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.models import names
from mlxr.models.errors import ModelFileError, UnusableModelError
from mlxr.models.near_names import suggestion
from mlxr.runtime.errors import ModelError, ModelNotFound
from mlxr.runtime.model_info import ModelInfo

FROM_PATH = "path"
"""``source`` of a model that is no part of the catalogue."""


class Resolver:
    """Finds models by any name that works. Owns what is known of local files while engines serve them.

    store: the catalogue.
    reader: reads files that are not known yet.
    folders: where clients on other machines may name paths.
    tool_stores: finds models of other tools; None for those of this user.
    """

    def __init__(
        self,
        store: Store,
        reader: MetadataReader,
        folders: Iterable[str] = (),
        tool_stores: ToolStores | None = None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._tool_stores = tool_stores or ToolStores(store, reader)
        self._folders = [Path(os.path.expanduser(folder)) for folder in folders]
        self._local: dict[str, CatalogueEntry] = {}

    async def require_allowed(self, name: str, remote: bool, *, again: bool = False) -> None:
        """Raises ``NoModelAtPath`` where ``name`` is a path that the client who named it may not: nothing is looked up
        for one on another machine, but in folders that are configured for it, and among what is known here already,
        unless the file itself is wanted ``again``. ``PullError`` for an address that is not everybody's."""
        if remote and (host := names.web_host(name)) and (again or not await self._knows(name)):
            await to_thread.run_sync(require_public, host)
        if not remote or not names.outside_catalogue(name) or (not again and await self._knows(name)):
            return
        path, named = names.local_file(name), names.in_tool_store(name)
        if named and self._folders:
            path = (await self._tool_stores.find(*named)).path
        if path is None or not await to_thread.run_sync(self.shared, path):
            why = "clients on other machines may name paths in the folders of models.paths only"
            raise NoModelAtPath(Path(name) if named or path is None else path, why)

    def shared(self, path: Path) -> bool:
        """Whether clients on other machines may know of ``path``. Asks the system: for a worker thread."""
        return bool(self._folders) and lies_within(path, self._folders)

    async def _knows(self, name: str) -> bool:
        served = any(name in (entry.name, *entry.aliases) for entry in self._local.values())
        return served or await self._store.find(name) is not None

    async def find(self, name: str, remote: bool = False) -> CatalogueEntry:
        """Returns the model of that name, alias or path, if the client may name it; raises ``ModelNotFound``, or
        ``UnusableModelError`` for a local file that is corrupt or can't run here."""
        await self.require_allowed(name, remote)
        entry = await self._store.find(name)
        if entry is not None:
            return entry
        if path := names.local_file(name):
            return await self._from_path(path, name)
        if named := names.in_tool_store(name):
            return self._noted(await self._tool_stores.entry(await self._tool_stores.find(*named)), name)
        return await self._store.get(name)

    async def find_adapted(self, name: str, remote: bool = False) -> tuple[CatalogueEntry, list[CatalogueEntry]]:
        """As ``find``, also of ``MODEL+ADAPTER+...`` as requests have it: the model, and the adapters."""
        try:
            return await self.find(name, remote), []
        except ModelNotFound:
            parts = name.split("+")
            for end in range(len(parts) - 1, 0, -1):
                with suppress(ModelNotFound):
                    model = await self.find("+".join(parts[:end]), remote)
                    adapters = [await self.find(part, remote) for part in parts[end:]]
                    if not model.blob.info.is_adapter and all(each.blob.info.is_adapter for each in adapters):
                        return model, adapters
            if len(parts) > 1:
                await self._require_parts(*parts)
            raise

    async def _require_parts(self, model: str, *adapters: str) -> None:
        """Raises ``ModelNotFound`` for the part of ``MODEL+ADAPTER`` that is not what it should be, if one is."""
        if (base := await self._store.find(model)) is None or base.blob.info.is_adapter:
            return
        for name in adapters:
            adapter = await self._store.find(name)
            if adapter is None:
                known = [each.name for each in await self._store.models() if each.blob.info.is_adapter]
                way_out = f"{suggestion(name, known)}`mlxr pull PATH` fetches one, `mlxr list` shows what there is"
                raise ModelNotFound(f"there is no adapter of the name {names.quoted(name)}; {way_out}")
            if not adapter.blob.info.is_adapter:
                raise ModelNotFound(f"{names.quoted(name)} is a model, and no adapter that can be added to one")

    async def content_of(self, entry: CatalogueEntry) -> str:
        """As ``Store.content_of``, of a model's files."""
        return await self._store.content_of(entry.blob)

    async def models(self, loaded: set[str]) -> list[CatalogueEntry]:
        """Returns the catalogue, and the local files among ``loaded``; others are forgotten."""
        self._local = {name: entry for name, entry in self._local.items() if name in loaded}
        return [*await self._store.models(), *self._local.values()]

    async def refresh(self, served: list[str]) -> None:
        """Brings what is known up to date at a start: files that an older mlxr read, and the local files among
        ``served``. Files that have become unusable are left for their next use to report."""
        for entry in await self._store.stale():
            with suppress(OSError, UnusableModelError):
                await self._store.refresh(entry.blob.digest, await self._reader.info(entry.blob.path))
        for name in served:
            with suppress(OSError, UnusableModelError, ModelNotFound):
                await self.find(name)

    async def _from_path(self, path: Path, name: str) -> CatalogueEntry:
        seen = await to_thread.run_sync(stat_model, path)
        known = await self._store.known_file(path, seen.fingerprint)
        if known is None or not known[0]:
            known = await self._read(path)
            with suppress(ModelError):  # on a full disk it is read again next time
                await self._store.remember_file(path, seen.fingerprint, *known)
        digest, info = known
        require_usable(path, info)
        blob = Blob(digest, path, seen.size, info, fingerprint=seen.fingerprint)
        entry = CatalogueEntry(str(path), blob, seen.modified, FROM_PATH)
        return self._noted(entry, name)

    def _noted(self, entry: CatalogueEntry, name: str) -> CatalogueEntry:
        """``entry``, which is no part of the catalogue, with every name that was used for it."""
        earlier = self._local.get(entry.name)
        spellings = {*(earlier.aliases if earlier else []), name} - {entry.name}
        self._local[entry.name] = structs.replace(entry, aliases=sorted(spellings))
        return self._local[entry.name]

    async def _read(self, path: Path) -> tuple[str, ModelInfo]:
        """Digest, and what the files say. What a folder's JSON has that makes it no model is nothing for clients."""
        try:
            info = await self._reader.info(path)
            return await to_thread.run_sync(files.digest_of, path), info
        except (OSError, ValueError) as error:
            raise NoModelAtPath(path, str(error)) from None
        except ModelFileError as error:
            if await to_thread.run_sync(path.is_dir):
                raise NoModelAtPath(path, error.within(path)) from None
            raise
