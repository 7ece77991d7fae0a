"""The walk through docs/adding/source.md: a source whose model comes in halves from memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report, pulling
from mlxr.actors.registry.sources import find
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.source import RESUMABLE, Fetched, Source, check_digest
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.runtime.errors import PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, unheard


@dataclass
class Halves:
    """A place that gives half of a file at a time. ``cut``: after the first half, it fails."""

    content: bytes
    digest: str
    cut: bool = False
    given: list[int] = field(default_factory=list)

    def recognise(self, name: str) -> Source | None:
        return HalvesSource(name.removeprefix("halves:"), self) if name.startswith("halves:") else None


@dataclass(frozen=True)
class HalvesSource:
    name: str
    place: Halves
    lasting: bool = True

    @property
    def spelled(self) -> str:
        return f"halves:{self.name}"

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[None]:
        yield None

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        out = anyio.Path(staging / RESUMABLE / "model")
        await out.parent.mkdir(exist_ok=True)
        done, total = (await out.stat()).st_size if await out.exists() else 0, len(self.place.content)
        with files.space_for(staging, total - done):
            while done < total:
                if done and self.place.cut:
                    raise PullError(f"the download of {self.spelled} was cut short; pull again")
                self.place.given.append(done)
                half = self.place.content[done : done + -(-total // 2)]
                async with await out.open("ab") as file:
                    await file.write(half)
                done += len(half)
                report(pulling(self.name, self.place.digest, total, done))
        digest = hashlib.sha256(await out.read_bytes()).hexdigest()
        check_digest(digest, self.place.digest, self.name, self, "pull again")
        return Fetched(Path(out), digest, self.spelled, "mit")


@pytest.fixture
def place(model: bytes, monkeypatch: pytest.MonkeyPatch) -> Halves:
    made = Halves(model, hashlib.sha256(model).hexdigest())
    monkeypatch.setattr(find, "SOURCES", (made.recognise, *find.SOURCES))
    return made


async def test_a_source_of_a_few_lines_has_its_models_checked_and_catalogued(place: Halves, home: Home) -> None:
    heard: list[Progress] = []
    entry = await pull_model(home, "halves:tiny", heard.append)
    assert (entry.name, entry.source, entry.blob.digest) == ("tiny", "halves:tiny", place.digest)
    assert entry.blob.path.read_bytes() == place.content
    assert [progress.completed for progress in heard if progress.total][-1] == len(place.content)
    assert files_under(home.models) == [f"blobs/sha256-{place.digest}"]
    assert await pull_model(home, "halves:tiny", unheard) == entry
    assert len(place.given) == 2


async def test_it_goes_on_where_it_was_cut_off(place: Halves, home: Home) -> None:
    place.cut = True
    with pytest.raises(PullError, match="halves:tiny was cut short"):
        await pull_model(home, "halves:tiny", unheard)
    place.cut = False
    await pull_model(home, "halves:tiny", unheard)
    assert place.given == [0, -(-len(place.content) // 2)]


async def test_a_file_of_another_digest_is_not_kept(place: Halves, home: Home) -> None:
    place.digest = "0" * 64
    with pytest.raises(PullError, match=r"tiny from halves:tiny has SHA-256 .* should have 000"):
        await pull_model(home, "halves:tiny", unheard)
    assert files_under(home.models) == []
