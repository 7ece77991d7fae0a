"""Reads what model files say, in a process that may be killed by what it finds there."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.models.chat.errors import ChatError
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.late_import import late_import
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import Nursery, Sandbox, SandboxKilled, TaskLimits
from mlxr.runtime.sandbox.protocol import function_of

if TYPE_CHECKING:
    from mlxr.actors.registry.metadata.header_findings import HeaderFindings
    from mlxr.metal.machine import Machine
    from mlxr.models.footprint import Footprint

T = TypeVar("T")

_LOOK, _READ_INFO, _SHOW, _FOOTPRINTS = (
    f"mlxr.actors.registry.metadata.{module}" for module in ("look", "read_info", "show", "footprints")
)
"""Where what reads files lies. Only workers import it: it knows all families, which the server itself does without."""
_LOOKED, _FOOTPRINT = "mlxr.actors.registry.metadata.header_findings", "mlxr.models.footprint"
"""What some of it returns, which brings much along that a start does without."""
PREPARE = "mlxr.actors.registry.metadata.reader:prepare"
LIMITS = TaskLimits(cpu_seconds=20, seconds=60.0, memory=1 << 30)
"""The largest vocabularies take 2 s to load on a slow machine."""
TEMPLATE_LIMITS = TaskLimits(cpu_seconds=2, seconds=30.0, memory=256 << 20, nice=10)
"""For a template that a client sends: real ones take some hundredths of a second."""


def prepare() -> None:
    """Loads in the zygote what reading more than footprints needs."""
    for module in ("sentencepiece", "tokenizers", _LOOK, _READ_INFO, _SHOW):
        importlib.import_module(module)


class MetadataReader:
    """Reads files that may be hostile.

    sandbox: where files are read; None for this process, which then is only the user's own.
    limits: what reading one file may take.
    """

    def __init__(self, sandbox: Sandbox | None = None, limits: TaskLimits = LIMITS) -> None:
        self._sandbox = sandbox
        self._limits = limits

    @classmethod
    def sandboxed(cls, nursery: Nursery | None = None) -> MetadataReader:
        """One with a sandbox of its own, which ``close`` ends. ``nursery``: what that is forked from."""
        return cls(Sandbox(f"{_FOOTPRINTS}:prepare", nursery=nursery))

    async def close(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.close()

    async def info(self, path: Path) -> ModelInfo:
        """Returns what the file says. For one that kills the worker that reads it: that it is unusable, and why.

        Raises ``ModelFileError`` for corrupt and unreadable ones.
        """
        try:
            info: ModelInfo = await self._run(path, f"{_READ_INFO}:read_or_error", path, returns=ModelInfo)
        except _KilledError as error:
            return ModelInfo(format="", architecture="", unusable=error.reason)
        return info

    async def known(self, path: Path) -> ModelInfo:
        """As ``info``; raises ``UnsupportedModelError`` for a file that kills the worker that reads it."""
        info = await self.info(path)
        return info if info.format else require_usable(path, info)

    async def usable(self, path: Path) -> ModelInfo:
        """As ``info``; raises ``UnsupportedModelError`` for a model that can't run here."""
        return require_usable(path, await self.info(path))

    async def show(self, entry: CatalogueEntry, verbose: bool, remote: bool) -> dict[str, Any]:
        """Returns what ``show`` says of an entry; raises as it does."""
        body: dict[str, Any] = await self._run(
            entry.blob.path, f"{_SHOW}:show", entry, verbose, remote, returns=dict[str, Any]
        )
        return body

    async def look(self, path: Path, machine: Machine) -> HeaderFindings:
        """Returns what the headers of a model or a skeleton say, and what it takes on ``machine``. For one that kills
        the worker that reads it: that it is unusable. Raises ``ModelFileError`` for corrupt ones."""
        answers = await late_import(_LOOKED)
        try:
            looked: HeaderFindings = await self._run(
                path, f"{_LOOK}:look", path, machine, returns=answers.HeaderFindings
            )
        except _KilledError as error:
            looked = answers.HeaderFindings(ModelInfo(format="", architecture="", unusable=error.reason))
        return looked

    async def footprint(self, path: Path, machine: Machine) -> Footprint:
        """Returns what ``look`` says of it alone; raises ``UnusableModelError``."""
        kind = (await late_import(_FOOTPRINT)).Footprint
        footprint: Footprint = await self._run(path, f"{_FOOTPRINTS}:footprint_on", path, machine, returns=kind)
        return footprint

    async def gguf_header_needs(self, path: Path, have: int) -> int:
        """Returns what ``header_needs`` says; raises as it does."""
        needs: int = await self._run(path, f"{_LOOK}:gguf_header_needs", path, have, returns=int)
        return needs

    async def early_reads(self, path: Path) -> list[tuple[str, int, int]]:
        """Returns what ``read_early`` says, of a skeleton; raises as it does."""
        reads: list[tuple[str, int, int]] = await self._run(
            path, f"{_LOOK}:read_early", path, returns=list[tuple[str, int, int]]
        )
        return reads

    async def with_template(self, template: str, insert: bool) -> list[str]:
        """Returns what ``read_info.with_template`` says; raises as it does, and ``ChatError`` where that takes too
        much."""
        try:
            able: list[str] = await self._work(
                f"{_READ_INFO}:with_template", template, insert, returns=list[str], limits=TEMPLATE_LIMITS
            )
        except SandboxKilled as error:
            raise ChatError(f"rendering the chat template {error}", "template") from None
        return able

    async def adapter_fault(self, adapter: Path, model: Path) -> str:
        """Returns why the adapter can't be applied to the model, both in files of this machine; '' where it can."""
        try:
            fault: str = await self._run(adapter, f"{_LOOK}:adapter_fault", adapter, model, returns=str)
        except UnusableModelError as error:
            return error.reason
        return fault

    async def _run(self, path: Path, function: str, *arguments: Any, returns: Any) -> Any:
        try:
            return await self._work(function, *arguments, returns=returns, limits=self._limits)
        except SandboxKilled as error:
            raise _KilledError(path, f"can't be used: reading it {error}") from None

    async def _work(self, function: str, *arguments: Any, returns: Any, limits: TaskLimits) -> Any:
        if self._sandbox is None:
            return await to_thread.run_sync(lambda: function_of(function)(*arguments))
        if not function.startswith(_FOOTPRINTS):
            await self._sandbox.extend(PREPARE)
        return await self._sandbox.run(function, *arguments, returns=returns, limits=limits)


class _KilledError(UnsupportedModelError):
    """A file that killed whoever read it."""


def require_usable(path: Path, info: ModelInfo) -> ModelInfo:
    """``info`` of a model that can run here; raises ``UnsupportedModelError`` for those of another."""
    if info.unusable:
        raise UnsupportedModelError(path, info.unusable)
    return info
