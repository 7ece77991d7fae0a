"""Whether files in a tool's store are still those that were looked at."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, stat_model
from mlxr.actors.registry.tool_stores.tool_model import LABELS
from mlxr.models import names
from mlxr.runtime.errors import ModelError


class GoneFromStore(ModelError):  # noqa: N818  (reads as what happened)
    """A tool removed or changed the files of a model that was imported from its store."""


def require_in_place(entry: CatalogueEntry) -> None:
    """Raises ``GoneFromStore`` where the model's files, or an adapter's, have vanished from the tool's store or changed
    there. Asks the system alone: for a worker thread."""
    blob = entry.blob
    if not blob.tool:
        return
    label, name = LABELS.get(blob.tool, blob.tool), names.quoted(entry.name)
    fetch = f"`mlxr pull {entry.source}` fetches it, " if entry.source else ""
    try:
        same = stat_model(blob.path).fingerprint == blob.fingerprint
    except NoModelAtPath:
        raise GoneFromStore(
            f"the files of {name} are no longer in {label}'s store; {fetch}`mlxr rm {entry.name}` forgets the name"
        ) from None
    if not same:
        found_as = next((alias for alias in entry.aliases if names.in_tool_store(alias)), f"--from {blob.tool}")
        raise GoneFromStore(
            f"the files of {name} have changed in {label}'s store; `mlxr import {found_as}` takes them as they are, "
            f"`mlxr rm {entry.name}` forgets the name"
        )
    if missing := next((each for each in entry.adapters if not Path(each.path).exists()), None):
        raise GoneFromStore(f"the adapter {missing.name} of {name} is no longer there; {fetch}or import it again")
