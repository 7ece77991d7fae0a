"""Processes that do with models what users do, at random, until they are killed.

``python -m tests.actors.registry.killed HOME FOLDER`` forks one for each line ``begin SEED`` of its input and prints
the number of the process; for ``await NUMBER`` it prints how that one ended. What each begins and ends it notes in
``FOLDER/journal``, a line each: ``begin`` or ``end``, the verb, the name, and what the name stands for from then on.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from mlxr.actors.registry.catalogue.create import Creator
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.paths import Home

MODELS = 5
GONE = "-"
"""What a name stands for that is none."""


class Note(NamedTuple):
    """A line of the journal. ``means``: the digest of the name's files and its system prompt, or ``GONE``."""

    when: str
    verb: str
    name: str
    means: str


def journal(folder: Path) -> Iterator[Note]:
    path = folder / "journal"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return (Note(*line.split("\t")) for line in lines)


def meaning(entry: CatalogueEntry) -> str:
    return f"{entry.blob.digest} {entry.overrides.system}"


class User:
    """One process's work in ``home``, with the model files in ``folder``."""

    def __init__(self, home: Home, folder: Path, seed: int) -> None:
        self._home, self._folder, self._random = home, folder, random.Random(seed)
        self._journal = os.open(folder / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._digests = msgspec.json.decode((folder / "digests.json").read_bytes(), type=list[str])

    async def work(self) -> None:
        """Goes on until somebody ends it."""
        self._store = await Store.open(self._home)
        reader = MetadataReader()
        self._creator = Creator(self._home, self._store, self._obtain, reader)
        verbs = [
            self._pull,
            self._pull,
            self._create,
            self._create,
            self._copy,
            self._delete,
        ]
        while True:
            with suppress(ModelNotFound):
                await self._random.choice(verbs)()

    async def _pull(self) -> None:
        number = self._random.randrange(MODELS)
        self._note("begin", "pull", f"m{number}", f"{self._digests[number]} ")
        await pull_model(self._home, str(self._folder / f"m{number}.gguf"), ignore, self._store, MetadataReader())
        self._note("end", "pull", f"m{number}", f"{self._digests[number]} ")

    async def _create(self) -> None:
        source = await self._any()
        name, system = f"c{self._random.randrange(4)}", f"s{self._random.randrange(1000)}"
        means = f"{source.blob.digest} {system}"
        self._note("begin", "create", name, means)
        spec = msgspec.json.encode({"from": source.name, "system": system})
        await self._creator.create(name, spec, ignore)
        self._note("end", "create", name, means)

    async def _copy(self) -> None:
        source, name = await self._any(), f"d{self._random.randrange(4)}"
        self._note("begin", "copy", name, meaning(source))
        await self._store.copy(source.name, name)
        self._note("end", "copy", name, meaning(source))

    async def _delete(self) -> None:
        entry = await self._any()
        self._note("begin", "delete", entry.name, GONE)
        await self._store.delete(entry.name)
        self._note("end", "delete", entry.name, GONE)

    async def _any(self) -> CatalogueEntry:
        entries = await self._store.models()
        if not entries:
            raise ModelNotFound("there is none yet")
        return self._random.choice(entries)

    async def _obtain(self, name: str, report: object) -> CatalogueEntry:
        return await self._store.get(name)

    def _note(self, *note: str) -> None:
        os.write(self._journal, ("\t".join(Note(*note)) + "\n").encode())


def ignore(progress: Progress) -> None:
    """Nobody watches."""


def main(home: str, folder: str) -> None:
    for line in sys.stdin:
        verb, number = line.split()
        print(begin(home, folder, int(number)) if verb == "begin" else ended(int(number)), flush=True)


def begin(home: str, folder: str, seed: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            anyio.run(User(Home(Path(home)), Path(folder), seed).work)
        finally:
            os._exit(1)  # by an error: nothing else ends it
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
