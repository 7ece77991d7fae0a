"""``mlxr gc``: frees the disk of what no model needs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from mlxr.cli.options import AsJson
from mlxr.cli.printing import print_json, remark
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.printable import printable

EXAMPLES = [
    ("mlxr gc", "files that no name stands for, unused uploads, parts of pulls that stopped"),
    ("mlxr gc --dry-run", "only list them"),
    ("mlxr gc --pages", "also what conversations left on disk for their next turns"),
]
UPLOAD_SECONDS = 600.0
"""How long an upload may wait for the model that its client is about to make of it."""


def register(app: typer.Typer) -> None:
    add_verb(app, "gc", gc, Task.MODELS, EXAMPLES)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and keep it.")] = False,
    pages: Annotated[
        bool, typer.Option("--pages", help="Also pages of conversations (kv.disk, kv.shared_memory).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Free the disk of what no model needs. Models, and what runs, stay as they are.

    Pages of conversations go by themselves when their part of the disk is full (kv.disk_bytes); without them a next
    turn is computed anew.
    """
    # What reads models, which other commands do without.
    from anyio import to_thread

    from mlxr.actors.executor.pool_files.left import left_files
    from mlxr.actors.registry.catalogue.files import OutOfSpace
    from mlxr.actors.registry.catalogue.store import Store, UnusedFile
    from mlxr.actors.registry.sources.staging import collect, leftovers, remove_leftovers
    from mlxr.cli.reporting import carried_out, reported
    from mlxr.models.sizes import readable
    from mlxr.runtime.paths import Home

    async def work() -> list[UnusedFile]:
        home = Home.find()
        removed: list[UnusedFile] = []
        try:
            store = await Store.open(home)
        except OutOfSpace:
            # SQLite wants room beside the catalogue, which parts of pulls may give.
            removed = await to_thread.run_sync(leftovers if dry_run else remove_leftovers, home)
            if not removed:
                raise
            if dry_run:
                return removed
            store = await Store.open(home)
        try:
            return [*removed, *await collect(home, store, UPLOAD_SECONDS, dry_run)]
        finally:
            await store.close()

    kept = _kept_pages()
    left = left_files(kept.path)
    if pages and not dry_run:
        # Before anything that takes room itself: the disk may be full of them.
        reported(lambda: _free_pages(kept.path))
    try:
        unused = carried_out(work)
    except typer.Exit:
        if pages and kept.size and not dry_run:
            remark(f"conversations had {readable(kept.size)} in {kept.path}, which are freed; other files were not")
        raise
    in_memory = sum(file.bytes for file in left)
    total = sum(file.size for file in unused) + (kept.size + in_memory if pages else 0)
    if as_json:
        listed = [{"path": str(file.path), "size": file.size} for file in unused]
        on_disk = {"path": str(kept.path), "size": kept.size, "removed": pages and not dry_run}
        print_json({"removed": not dry_run, "bytes": total, "files": listed, "pages": on_disk})
        return
    freed = [(file.path, file.size) for file in unused]
    if pages and kept.size:
        freed.append((kept.path, kept.size))
    if pages:
        freed += [(file.path, file.bytes) for file in left]
    for path, size in freed:
        print(printable(f"{readable(size):>9}  {path}"))
    print(f"{readable(total)} {'would be' if dry_run else 'were'} freed" if freed else "there is nothing to free")
    if kept.size and not pages:
        remark(f"conversations have {readable(kept.size)} in {kept.path}; `mlxr gc --pages` frees that, too")
    if left and not pages:
        remark(f"servers that were killed have left {readable(in_memory)} of memory; `mlxr gc --pages` frees that, too")


class _Kept(NamedTuple):
    path: Path
    size: int


def _kept_pages() -> _Kept:
    """Where pages of conversations lie, and their bytes."""
    from mlxr.actors.kv.disk.quota import folder_of
    from mlxr.actors.kv.disk.shared_folder import all_files
    from mlxr.cli.configuration import configuration_file
    from mlxr.runtime.config import load
    from mlxr.runtime.paths import Home
    from mlxr.server.config import Config

    home = Home.find()
    section = load(Config, configuration_file(None, home), os.environ).kv
    root = folder_of(home.kv, section.disk_path)
    try:
        return _Kept(root, sum(file.bytes for file in all_files(root)) if root.is_dir() else 0)
    except OSError as error:
        why = error.strerror or error
        remark(f"conversations in {root} (kv.disk_path) stay: it can't be looked at ({why}); let yourself read it")
        return _Kept(root, 0)


def _free_pages(root: Path) -> None:
    """Whoever serves goes on: what is gone is computed, and what is being written stays."""
    from mlxr.actors.executor.pool_files.left import delete_left
    from mlxr.actors.kv.disk.folder import SegmentFolder
    from mlxr.actors.kv.disk.shared_folder import NoRoomError

    delete_left(root)
    with suppress(NoRoomError):
        SegmentFolder(root, b"", 0).enforce()
