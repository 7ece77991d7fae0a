"""When the modules of actors that share the main process are imported, each on a thread: first those of who starts
engines, then what engines are made of, then those of the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from contextlib import suppress

import anyio

from mlxr.runtime.actor import Actor
from mlxr.runtime.host import actor_class

ENGINE_SOON_SECONDS = 0.1
"""How long imports for engines wait for the first one: what decides on that has the interpreter to itself, since an
executor waits for it."""

ENGINES_FIRST_SECONDS = 1.0
"""How long other shared actors wait for the one that starts engines."""


class ActorImports:
    """Owns the order.

    Attributes:
        others: held while a module is imported that is no engine's.
    """

    def __init__(self) -> None:
        self.others = anyio.CapacityLimiter(1)
        self._engines = anyio.CapacityLimiter(1)
        self._engine_begun = anyio.Event()
        self._engines_imported = anyio.Event()

    def no_engines(self) -> None:
        """No actor of this process starts engines: nobody waits for what they are made of."""
        self._engines_imported.set()

    def engine_begun(self) -> None:
        """The first engine's processes have been started."""
        self._engine_begun.set()

    async def of_engine(self, factory: str, imports: Iterable[str]) -> type[Actor]:
        """Returns the class that ``factory`` (``module:Class``) names, of an engine's actor or of who starts engines.
        ``imports``: modules that come with it. Raises whatever they do."""
        return await anyio.to_thread.run_sync(_imported, factory, imports, limiter=self._engines)

    async def of_other(self, factory: str, imports: Iterable[str]) -> type[Actor]:
        """Returns the same of any other actor, once ``after_engines`` returns."""
        await self.after_engines()
        return await anyio.to_thread.run_sync(_imported, factory, imports, limiter=self.others)

    async def import_engines(self, modules: Iterable[str], *, soon: bool) -> None:
        """Imports what engines are made of, if nobody has. ``soon``: an engine is about to be started, which is waited
        for a while."""
        if self._engines_imported.is_set():
            return
        if soon:
            with anyio.move_on_after(ENGINE_SOON_SECONDS):
                await self._engine_begun.wait()
        with suppress(Exception):  # whatever a module raises: it is said where an engine is started
            await anyio.to_thread.run_sync(_import_all, modules, limiter=self._engines)
        self._engines_imported.set()

    async def after_engines(self) -> None:
        """Returns when what engines are made of is imported, or an engine can't be started so soon."""
        with anyio.move_on_after(ENGINES_FIRST_SECONDS):
            await self._engines_imported.wait()


def _imported(factory: str, imports: Iterable[str]) -> type[Actor]:
    found = actor_class(factory)
    _import_all(imports)
    return found


def _import_all(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)
