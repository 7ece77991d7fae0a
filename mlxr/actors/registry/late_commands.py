"""The long commands as the registry has them from its start: what does their work is imported for the first of them.

It knows every source of models and converters: half of what a registry is made of, and its first load waits for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.progress import Report
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.late_import import late_import

if TYPE_CHECKING:
    from mlxr.actors.registry.long_commands import LongCommands

_MODULE = "mlxr.actors.registry.long_commands"


class LateCommands:
    """Owns the ``LongCommands``, whose arguments it takes."""

    def __init__(self, home: Any, store: Any, reader: Any, resolver: Resolver, *others: Any) -> None:
        self._resolver = resolver
        self._arguments = home, store, reader, resolver, *others
        self._made: LongCommands | None = None

    async def all(self) -> LongCommands:
        module = await late_import(_MODULE)
        if self._made is None:
            self._made = module.LongCommands(*self._arguments)
        return self._made

    async def obtain(self, name: str, report: Report) -> CatalogueEntry:
        """As ``LongCommands.obtain``, which is needed where the model isn't here."""
        try:
            return await self._resolver.find(name)
        except ModelNotFound:
            return await (await self.all()).obtain(name, report)
