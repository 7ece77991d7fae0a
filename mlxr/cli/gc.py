"""``mlxr gc``: frees the disk of what no model needs."""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.options import AsJson
from mlxr.cli.printing import print_json
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.printable import printable

EXAMPLES = [
    ("mlxr gc", "files that no name stands for, unused uploads, parts of pulls that stopped"),
    ("mlxr gc --dry-run", "only list them"),
]
UPLOAD_SECONDS = 600.0
"""How long an upload may wait for the model that its client is about to make of it."""


def register(app: typer.Typer) -> None:
    add_verb(app, "gc", gc, Task.MODELS, EXAMPLES)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and keep it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Free the disk of what no model needs. Models, and what runs, stay as they are."""
    # What reads models, which other commands do without.
    from mlxr.actors.registry.catalogue.store import Store, UnusedFile
    from mlxr.actors.registry.sources.staging import collect
    from mlxr.cli.catalogue import carried_out
    from mlxr.models.sizes import readable
    from mlxr.runtime.paths import Home

    async def work() -> list[UnusedFile]:
        home = Home.find()
        store = await Store.open(home)
        try:
            return await collect(home, store, UPLOAD_SECONDS, dry_run)
        finally:
            await store.close()

    unused = carried_out(work)
    total = sum(file.size for file in unused)
    if as_json:
        listed = [{"path": str(file.path), "size": file.size} for file in unused]
        print_json({"removed": not dry_run, "bytes": total, "files": listed})
        return
    for file in unused:
        print(printable(f"{readable(file.size):>9}  {file.path}"))
    print(f"{readable(total)} {'would be' if dry_run else 'were'} freed" if unused else "there is nothing to free")
