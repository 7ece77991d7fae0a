"""Which installed models an installed adapter can be applied to."""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.metadata.reader import MetadataReader


class AdapterFits:
    """Owns what is known of each adapter with each model: their headers are read once for every two, by content."""

    def __init__(self, reader: MetadataReader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], bool] = {}

    async def update(self, entries: Sequence[CatalogueEntry]) -> None:
        """Looks at those that are new, and forgets those that are gone."""
        pairs = {
            (adapter.blob.digest, model.blob.digest): (adapter, model)
            for adapter in entries
            if adapter.blob.info.is_adapter
            for model in entries
            if _takes_adapters(model)
        }
        self._known = {pair: fits for pair, fits in self._known.items() if pair in pairs}
        for pair, (adapter, model) in pairs.items():
            if pair not in self._known:
                self._known[pair] = not await self._reader.adapter_fault(adapter.blob.path, model.blob.path)

    def models(self, adapter: CatalogueEntry, entries: Sequence[CatalogueEntry]) -> list[str]:
        """Returns the names of the models among ``entries`` that ``adapter`` fits, as far as known."""
        if not adapter.blob.info.is_adapter:
            return []
        own = adapter.blob.digest
        return [model.name for model in entries if self._known.get((own, model.blob.digest), False)]


def _takes_adapters(entry: CatalogueEntry) -> bool:
    return not entry.blob.info.unusable and "completion" in entry.info.capabilities
