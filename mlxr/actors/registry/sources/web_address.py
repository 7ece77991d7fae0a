"""Models at addresses of the web: a GGUF file, or one part of a model in several, whose other parts lie beside it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from yarl import URL

from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.source import Fetched
from mlxr.actors.registry.sources.transfer.download import fetch_remote
from mlxr.actors.registry.sources.transfer.http_client import HttpClient, shown
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.models import names
from mlxr.models.formats.gguf.split import SUFFIX, model_name, part_files
from mlxr.models.formats.pickles import REFUSED, begins_as_pickle
from mlxr.runtime.errors import ModelNotFound, PullError

SCHEMES = ("https://", "http://")
MAGIC = b"GGUF"
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class WebSource:
    """A file at an address.

    url: without a fragment.
    sha256: that its content must have, in hexadecimal; '' where the user did not say (``#sha256=HEX``).
    """

    url: str
    sha256: str = ""

    @classmethod
    def recognise(cls, name: str) -> WebSource | None:
        name = name.strip()
        if not name.lower().startswith(SCHEMES):
            return None
        url, _, fragment = name.partition("#")
        digest = _SHA256.fullmatch(fragment)
        try:
            host = URL(url).host if len(url) <= _LONGEST and names.plain(url) and " " not in url else None
        except ValueError:
            host = None
        if host is None or (fragment and digest is None):
            raise ModelNotFound(
                f"{names.quoted(name)} is no address of a file; give https://HOST/PATH.gguf, with #sha256=HEX behind "
                "it where you know its digest"
            )
        return cls(url, digest[1].lower() if digest else "")

    @property
    def name(self) -> str:
        stem = model_name(Path(self._file_name)).removesuffix(SUFFIX)
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "model"

    @property
    def spelled(self) -> str:
        return f"{self.url}#sha256={self.sha256}" if self.sha256 else self.url

    @property
    def lasting(self) -> bool:
        return bool(self.sha256)

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[RemoteModel]:
        async with HttpClient.open(limits) as client:
            files = [await self._ask(client, name) for name in self._parts()]
            if self.sha256 and len(files) == 1:
                files[0].digest = f"sha256:{self.sha256}"
            elif self.sha256:
                raise PullError(f"{shown(self.url)} is one of {len(files)} parts, which have no SHA-256 together")
            yield RemoteModel(tuple(files), self.spelled, folder=len(files) > 1, limits=limits, lasting=self.lasting)

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        assert remote is not None, "a file at an address can be looked into"
        return await fetch_remote(remote, staging, report)

    @property
    def _file_name(self) -> str:
        return PurePosixPath(unquote(URL(self.url, encoded=True).raw_path)).name

    def _parts(self) -> list[str]:
        """Names of the files of the model, in order."""
        return [part.name for part in part_files(Path("/", self._file_name))]

    async def _ask(self, client: HttpClient, name: str) -> HttpFile:
        """The file ``name`` beside the one that was named; raises ``PullError`` for anything but GGUF, before more of
        it is fetched."""
        own = self._file_name
        url = self.url if name == own else _replaced_last(self.url, own, name)
        file, begin = await HttpFile.ask(client, url, name or "model")
        if begin[: len(MAGIC)] == MAGIC:
            return file
        what = shown(url)
        if begin_as_page(begin):
            raise PullError(f"{what} is a web page and no file; give the address that its download link leads to")
        if begins_as_pickle(begin):
            raise PullError(f"{what} is {REFUSED}")
        raise PullError(f"{what} is no GGUF file; mlxr pulls folders from the Hugging Face Hub, or from a path here")


def begin_as_page(begin: bytes) -> bool:
    """Whether a file that begins so is HTML."""
    start = begin.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<!--", b"<?xml"))


def _replaced_last(url: str, old: str, new: str) -> str:
    """``url`` with another file name in its path; its query stays."""
    path, question, query = url.partition("?")
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{new}{question}{query}"
