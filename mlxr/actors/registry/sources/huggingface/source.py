"""Models on the Hugging Face Hub: GGUF files, folders of safetensors (of transformers, MLX, sentence-transformers), and
adapters."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import msgspec
from anyio import to_thread

from mlxr.actors.registry.catalogue.files import DigestMismatch
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.huggingface.cache import cached_file, cached_repository, offline
from mlxr.actors.registry.sources.huggingface.folder_files import INDEX, listed_weights
from mlxr.actors.registry.sources.huggingface.hub import Hub, HubFile, Repository
from mlxr.actors.registry.sources.huggingface.name import MAIN, HubName, parse, parse_plain
from mlxr.actors.registry.sources.huggingface.repository_model import RepositoryModel, choose
from mlxr.actors.registry.sources.source import Fetched
from mlxr.actors.registry.sources.transfer.download import fetch_remote
from mlxr.actors.registry.sources.transfer.http_client import HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile, RemoteFile, RemoteModel
from mlxr.models import names
from mlxr.models.formats.gguf.split import SUFFIX
from mlxr.runtime.errors import PullError

MAGIC = b"GGUF"
_LARGEST_INDEX = 64 << 20


@dataclass(frozen=True, slots=True)
class HubSource:
    """A model of a repository."""

    wanted: HubName

    @classmethod
    def recognise(cls, name: str) -> HubSource | None:
        """For names that say that they are the Hub's."""
        wanted = parse(name)
        return cls(wanted) if wanted else None

    @classmethod
    def recognise_plain(cls, name: str) -> HubSource | None:
        """For ORG/REPO, which may mean other things, too."""
        wanted = parse_plain(name)
        return cls(wanted) if wanted else None

    @property
    def name(self) -> str:
        return _catalogued(self.wanted, self.wanted.repo, self.wanted.path or self.wanted.tag)

    @property
    def spelled(self) -> str:
        return self.wanted.spelled

    @property
    def lasting(self) -> bool:
        return False

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[RemoteModel]:
        # Which Hub is asked, the user of this machine says.
        async with HttpClient.open(replace(limits, public_only=False)) as client:
            if await to_thread.run_sync(offline):
                listing = _Listing(await self._cached(), None, client)
            else:
                hub = await Hub.here()
                listing = _Listing(await hub.repository(self.wanted, limits), hub, client)
            choice = await listing.choose(self.wanted)
            yield await listing.model(self.wanted, choice, limits)

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        assert remote is not None, "a repository of the Hub can be looked into"
        first = remote.files[0]
        # Who may not have the files hears of it now, and not after the first gigabytes.
        if first.name.lower().endswith(SUFFIX) and (begin := await first.read(0, len(MAGIC))) != MAGIC:
            raise PullError(f"{first.name} of {self.spelled} is no GGUF file: it begins with {begin!r}")
        try:
            return await fetch_remote(remote, staging, report)
        except DigestMismatch as error:
            cached = [file.path for file in remote.files if isinstance(file, LocalFile)]
            if not cached:
                raise
            where = names.quoted(str(cached[0]))
            raise DigestMismatch(f"{error}; if it was damaged in the Hub's cache, remove {where} there") from None

    async def _cached(self) -> Repository:
        found = await to_thread.run_sync(cached_repository, self.wanted)
        if found is None:
            raise PullError(
                f"can't fetch {self.spelled}: HF_HUB_OFFLINE is set and the Hub's cache does not have it; unset it, or "
                "pull a path"
            )
        return found


@dataclass(frozen=True, slots=True)
class _Listing:
    """The files of ``repository``: at ``hub``, or where that is None in the cache alone."""

    repository: Repository
    hub: Hub | None
    client: HttpClient

    async def choose(self, wanted: HubName) -> RepositoryModel:
        paths = [file.path for file in self.repository.files]
        choice = choose(self.repository.id, paths, wanted.tag, wanted.path)
        index = f"{choice.root}{INDEX}"
        if not choice.folder or index not in choice.paths:
            return choice
        return RepositoryModel(
            listed_weights(choice.paths, choice.root, await self._indexed(index)),
            choice.root,
            choice.folder,
            choice.tag,
            choice.default,
        )

    async def _indexed(self, index: str) -> set[str]:
        """The names of the files that an index of safetensors lists."""
        file = await self._file(index, index)
        if file.size > _LARGEST_INDEX:
            raise PullError(f"{index} of {self.repository.id} has {file.size} bytes; no index of a model has so many")
        try:
            return set(msgspec.json.decode(await file.read(0, file.size), type=_Index).weight_map.values())
        except msgspec.DecodeError as error:
            raise PullError(f"{index} of {self.repository.id} is damaged: {error}") from None

    async def model(self, wanted: HubName, choice: RepositoryModel, limits: TransferLimits) -> RemoteModel:
        folder = choice.folder or len(choice.paths) > 1
        files = tuple([await self._file(path, _within(path, choice)) for path in choice.paths])
        repo, tag = self.repository.id, choice.tag
        name = _catalogued(wanted, repo, tag)
        aliases = [name.removeprefix(names.HUB)]
        if choice.default and wanted.revision == MAIN:
            aliases += [f"{names.HUB}{repo}", repo]
        pinned = HubName(repo, self.repository.commit, path=_pinned_path(choice)).spelled
        return RemoteModel(files, pinned, name, tuple(aliases), folder, self.repository.license, limits)

    async def _file(self, path: str, name: str) -> RemoteFile:
        file = next(file for file in self.repository.files if file.path == path)
        cached = await to_thread.run_sync(cached_file, self.repository, file, name)
        return cached or self._remote(file, name)

    def _remote(self, file: HubFile, name: str) -> HttpFile:
        if self.hub is None:
            raise PullError(f"{file.path} of {self.repository.id} left the Hub's cache meanwhile; pull again")
        url = self.hub.address(self.repository, file.path)
        identity = file.digest or f"{self.repository.commit} {file.path}"
        access = self.hub.access(self.repository.id)
        return HttpFile(self.client, url, name, file.size, identity, file.digest, access)


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def _within(path: str, choice: RepositoryModel) -> str:
    """What a file of the repository is called in its model."""
    return path[len(choice.root) :] if choice.folder else PurePosixPath(path).name


def _pinned_path(choice: RepositoryModel) -> str:
    """What of the repository the model is, as ``HubName.path``."""
    return (choice.root.rstrip("/") or choice.tag) if choice.folder else choice.paths[0]


def _catalogued(wanted: HubName, repo: str, tag: str) -> str:
    """What to call the model here: names in the catalogue have one tag, and no revision."""
    parts = [tag, "" if wanted.revision == MAIN else wanted.revision[:40]]
    joined = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(filter(None, parts))).strip("-.")
    return f"{names.HUB}{repo}{f':{joined}' if joined else ''}"
