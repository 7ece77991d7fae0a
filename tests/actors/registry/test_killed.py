"""A catalogue outlives the killing of whoever works on it, at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.rebuild import model_files
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.staging import collect
from mlxr.runtime.paths import Home
from tests.actors.registry.killed import GONE, MODELS, journal, meaning
from tests.actors.registry.packages import files_under, tiny_gguf

KILLS = 200
MOST_NOTES = 6
"""Of a process that is killed: it ends when it has begun and ended this many things at most."""
ROUNDS = 5000
"""Of readers, within which writers have long done their share."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Model files, large enough that copying them can be cut short."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(MODELS):
        tiny_gguf(folder / f"m{number}.gguf", f"m{number}")
    digests = [files.hash_file(folder / f"m{number}.gguf") for number in range(MODELS)]
    (folder / "digests.json").write_bytes(msgspec.json.encode(digests))
    return folder


@pytest.fixture
def users(tmp_path: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.actors.registry.killed", str(tmp_path / "home"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(users: subprocess.Popen[str], line: str) -> int:
    assert users.stdin is not None
    assert users.stdout is not None
    users.stdin.write(f"{line}\n")
    users.stdin.flush()
    return int(users.stdout.readline())


def noted(folder: Path) -> int:
    """How many notes the journal has."""
    path = folder / "journal"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_one(users: subprocess.Popen[str], folder: Path, seed: int, chance: random.Random) -> None:
    """Kills at a random moment. How far a process has come by then is chosen too, however slow the machine is."""
    notes = noted(folder) + chance.randrange(MOST_NOTES)
    child = ask(users, f"begin {seed}")
    while noted(folder) < notes:
        time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 0.02))
    os.kill(child, signal.SIGKILL)
    assert ask(users, f"await {child}") == -signal.SIGKILL, "it ended by itself, with an error"


def allowed(folder: Path) -> dict[str, set[str]]:
    """What each name may stand for: what the last change to it that ended made of it, or one that began after that."""
    may: dict[str, set[str]] = {}
    for note in journal(folder):
        if note.when == "end":
            may[note.name] = {note.means}
        else:
            may.setdefault(note.name, {GONE}).add(note.means)
    return may


async def test_no_kill_loses_a_model_or_leaves_a_name_without_its_files(
    tmp_path: Path, folder: Path, users: subprocess.Popen[str]
) -> None:
    home, chance = Home(tmp_path / "home"), random.Random(5)
    for seed in range(KILLS):
        kill_one(users, folder, seed, chance)
        store = await Store.open(home)
        await store.restore()
        entries = await store.models()
        await store.close()
        names = {entry.name: meaning(entry) for entry in entries}
        for name, means in allowed(folder).items():
            assert names.get(name, GONE) in means, (seed, name)
        for entry in entries:
            assert files.hash_file(entry.blob.path) == entry.blob.digest, (seed, entry.name)
    done = [note.verb for note in journal(folder) if note.when == "end"]
    assert set(done) == {"pull", "create", "copy", "delete"}, "too little was done between the kills"

    store = await Store.open(home)
    await collect(home, store, 0.0, dry_run=False)
    used = {entry.blob.path for entry in await store.models()}
    await store.close()
    assert set(model_files(home)) == used
    assert files_under(home.models / "partial") == []


async def settled(store: Store, entry: CatalogueEntry) -> bool:
    """Whether a model whose files are not there is one that is being deleted: soon its name is gone as well, or stands
    for what was pulled since."""
    for _ in range(1000):
        now = await store.find(entry.name)
        if now is None or now.blob != entry.blob or entry.blob.path.exists():
            return True
        await anyio.sleep(0.01)
    return False


async def test_who_reads_while_others_write_sees_models_with_their_files(
    tmp_path: Path, folder: Path, users: subprocess.Popen[str]
) -> None:
    home = Home(tmp_path / "home")
    writers = [ask(users, f"begin {seed}") for seed in range(2)]
    stores = [await Store.open(home) for _ in range(3)]
    seen: set[str] = set()
    for _ in range(ROUNDS):
        if noted(folder) >= 200:
            break
        for store in stores:
            for entry in await store.models():
                seen.add(entry.name)
                assert entry.blob.path.exists() or await settled(store, entry), f"{entry.name} has no files"
    for child in writers:
        os.kill(child, signal.SIGKILL)
        assert ask(users, f"await {child}") == -signal.SIGKILL, "it ended by itself, with an error"
    for store in stores:
        await store.close()
    assert noted(folder) >= 200
    assert len(seen) > MODELS
