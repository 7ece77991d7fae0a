"""Reads what model files say, in a process that may be killed by what it finds there."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.metadata.look import Looked, footprint_on, gguf_header_needs, look, read_early
from mlxr.actors.registry.metadata.read_info import read_or_error, with_template
from mlxr.actors.registry.metadata.show import show
from mlxr.metal.machine import Machine
from mlxr.models.adapters.loading import check_adapter
from mlxr.models.chat import ChatError
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.models.footprint import Footprint
from mlxr.models.loading import read_adapter_base
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import Sandbox, SandboxKilled, TaskLimits

T = TypeVar("T")

PREPARE = "mlxr.actors.registry.metadata.reader:prepare"
LIMITS = TaskLimits(cpu_seconds=20, seconds=60.0, memory=1 << 30)
"""The largest vocabularies take 2 s to load on a slow machine."""
TEMPLATE_LIMITS = TaskLimits(cpu_seconds=2, seconds=30.0, memory=256 << 20, nice=10)
"""For a template that a client sends: real ones take some hundredths of a second."""


def prepare() -> None:
    """Load in the zygote what every reading needs."""
    for package in ("sentencepiece", "tokenizers"):
        importlib.import_module(package)


def adapter_fault(adapter: Path, model: Path) -> str:
    """Why the adapter can't be applied to the model; '' where it can."""
    try:
        check_adapter(adapter, read_adapter_base(model))
    except UnusableModelError as error:
        return error.reason
    except OSError as error:
        return f"can't be read: {error.strerror or error}"
    return ""


class MetadataReader:
    """Reads files that may be hostile.

    sandbox: where files are read; None for this process, which then is only the user's own.
    limits: what reading one file may take.
    """

    def __init__(self, sandbox: Sandbox | None = None, limits: TaskLimits = LIMITS) -> None:
        self._sandbox = sandbox
        self._limits = limits

    @classmethod
    def sandboxed(cls) -> MetadataReader:
        """One with a sandbox of its own, which ``close`` ends."""
        return cls(Sandbox(PREPARE))

    async def close(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.close()

    async def info(self, path: Path) -> ModelInfo:
        """Returns what the file says. For one that kills the worker that reads it: that it is unusable, and why.

        Raises ``ModelFileError`` for corrupt and unreadable ones.
        """
        try:
            info: ModelInfo = await self._run(path, read_or_error, path, returns=ModelInfo)
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
        """What ``show`` says of an entry; raises as it does."""
        body: dict[str, Any] = await self._run(entry.blob.path, show, entry, verbose, remote, returns=dict[str, Any])
        return body

    async def look(self, path: Path, machine: Machine) -> Looked:
        """Returns what the headers of a model or a skeleton say, and what it takes on ``machine``. For one that kills
        the worker that reads it: that it is unusable. Raises ``ModelFileError`` for corrupt ones."""
        try:
            looked: Looked = await self._run(path, look, path, machine, returns=Looked)
        except _KilledError as error:
            return Looked(ModelInfo(format="", architecture="", unusable=error.reason))
        return looked

    async def footprint(self, path: Path, machine: Machine) -> Footprint:
        """What ``look`` says of it alone; raises ``UnusableModelError``."""
        footprint: Footprint = await self._run(path, footprint_on, path, machine, returns=Footprint)
        return footprint

    async def gguf_header_needs(self, path: Path, have: int) -> int:
        """What ``header_needs`` says; raises as it does."""
        needs: int = await self._run(path, gguf_header_needs, path, have, returns=int)
        return needs

    async def early_reads(self, path: Path) -> list[tuple[str, int, int]]:
        """What ``read_early`` says, of a skeleton; raises as it does."""
        reads: list[tuple[str, int, int]] = await self._run(path, read_early, path, returns=list[tuple[str, int, int]])
        return reads

    async def with_template(self, template: str, insert: bool) -> list[str]:
        """What ``read_info.with_template`` says; raises as it does, and ``ChatError`` where that takes too much."""
        try:
            able: list[str] = await self._work(
                with_template, template, insert, returns=list[str], limits=TEMPLATE_LIMITS
            )
        except SandboxKilled as error:
            raise ChatError(f"rendering the chat template {error}", "template") from None
        return able

    async def adapter_fault(self, adapter: Path, model: Path) -> str:
        """Returns why the adapter can't be applied to the model, both in files of this machine; '' where it can."""
        try:
            fault: str = await self._run(adapter, adapter_fault, adapter, model, returns=str)
        except UnusableModelError as error:
            return error.reason
        return fault

    async def _run(self, path: Path, function: Any, *arguments: Any, returns: Any) -> Any:
        try:
            return await self._work(function, *arguments, returns=returns, limits=self._limits)
        except SandboxKilled as error:
            raise _KilledError(path, f"can't be used: reading it {error}") from None

    async def _work(self, function: Any, *arguments: Any, returns: Any, limits: TaskLimits) -> Any:
        if self._sandbox is None:
            return await to_thread.run_sync(function, *arguments)
        name = f"{function.__module__}:{function.__name__}"
        return await self._sandbox.run(name, *arguments, returns=returns, limits=limits)


class _KilledError(UnsupportedModelError):
    """A file that killed whoever read it."""


def require_usable(path: Path, info: ModelInfo) -> ModelInfo:
    """``info`` of a model that can run here; raises ``UnsupportedModelError`` for those of another."""
    if info.unusable:
        raise UnsupportedModelError(path, info.unusable)
    return info
