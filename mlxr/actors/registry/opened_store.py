"""Opening the catalogue for a server: with what killed processes left put in order first."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import AsyncExitStack

from anyio import to_thread

from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.staging import sweep
from mlxr.runtime.errors import ConfigError, MlxrError, StartError
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

UNUSED_SECONDS = 86400.0
"""How long an uploaded file waits for a model to be made of it."""


async def open_store(home: Home) -> Store:
    """Returns the catalogue, in which every name has its files. Raises ``StartError``, which says the way out."""
    try:
        async with AsyncExitStack() as stack:
            store = await Store.open(home)
            stack.push_async_callback(store.close)
            await _put_in_order(home, store)
            stack.pop_all()
            return store
    except ConfigError as error:
        raise StartError(str(error)) from error
    except (OSError, sqlite3.Error, MlxrError) as error:
        way_out = "" if "MLXR_HOME" in str(error) else "; MLXR_HOME sets another place"
        raise StartError(f"can't use {home.root} for models: {error}{way_out}") from error


async def _put_in_order(home: Home, store: Store) -> None:
    if store.read_only:
        log.warning("%s is read-only: models can be served, but not added or removed", home.root)
    else:
        await store.restore()
        await to_thread.run_sync(sweep, home)
        await store.prune(time.time() - UNUSED_SECONDS)
    if orphans := await store.orphans():
        log.warning("no model is made of these files, which are kept: %s", ", ".join(map(str, orphans)))
