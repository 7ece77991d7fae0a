"""What an executor tells others of its engine beside the answers to steps: how its load goes, what it takes of memory,
what it has lost."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiled
from mlxr.actors.executor.memory_need import DoesNotFit
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.backend import Backend
from mlxr.models.constraints import ConstraintError
from mlxr.runtime.actor import Context, Sender
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.messages.common import ErrorCode, Message
from mlxr.runtime.messages.executor import CompileConstraint
from mlxr.runtime.messages.registry import DrafterFailed, EngineDown, EngineMemory, EngineUp, LoadProgress
from mlxr.runtime.messages.scheduler import AdapterLoaded, ConstraintCompiled, DrafterInfo, DrafterLost
from mlxr.runtime.pacing import Pacer

log = logging.getLogger("mlxr.executor")

PROGRESS_SECONDS = 0.1


@dataclass(slots=True)
class EngineBytes:
    """What an engine takes.

    Attributes:
        weights: those of what drafts among them.
        pages: the pool's.
        drafting: what is free once nothing drafts any more.
    """

    weights: int = 0
    pages: int = 0
    drafting: int = 0


class EngineReports:
    """Owns the executor's senders, and the figures that it tells. Methods are for the device's thread, unless they say
    that any may call them.

    Attributes:
        bytes: what the engine takes, adapters aside.
    """

    def __init__(self, context: Context, settings: ExecutorSettings, adapters: AdapterTable) -> None:
        self._context = context
        self._settings = settings
        self._adapters = adapters
        self.bytes = EngineBytes()
        self._backend: Backend
        self._undrafted = ""
        self._told_progress = 0.0
        self._sender: Sender
        self._shared: Sender
        """For whichever thread has ``_sharing``."""
        self._sharing = threading.Lock()
        self._registry = Address("registry")
        self._scheduler = Address.of("scheduler", context.engine)
        self._kv = Address.of("kv", context.engine)

    def open(self) -> None:
        """To be called on the device's thread."""
        self._sender = Sender("executor", self._context.bus.thread_copy())
        self._shared = Sender("executor", self._context.bus.thread_copy())

    def close(self) -> None:
        self._sender.close()
        with self._sharing:
            self._shared.close()

    def tell_scheduler(self, message: Message) -> None:
        self._sender.tell(self._scheduler, message)

    def tell_kv(self, message: Message) -> None:
        self._sender.tell(self._kv, message)

    def answer_kv(self, message: Message) -> None:
        """On any thread."""
        self._share(self._kv, message)

    def _share(self, receiver: Address, message: Message) -> None:
        with self._sharing:
            self._shared.tell(receiver, message)

    # The load.

    def progress(self, pacer: Pacer) -> Callable[[str, float], None]:
        """Returns what tells of the load's progress, and makes way for streams."""

        def report(stage: str, fraction: float) -> None:
            pacer.pause()
            self.tell_progress(stage, fraction)

        return report

    def tell_progress(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if now - self._told_progress >= PROGRESS_SECONDS or fraction >= 1.0:
            self._told_progress = now
            self._sender.tell(self._registry, LoadProgress(self._context.engine, stage, fraction))

    def can_not_load(self, error: Exception) -> None:
        """The same file would fail the same way again: the engine is given up, and nobody else is touched."""
        path, reason = self._settings.path, str(error)
        if not isinstance(error, MlxrError | ValueError | OSError):
            log.exception("%s can't be loaded", path)
            reason = f"{path} can't be loaded: {type(error).__name__}: {error}"
        code = ErrorCode.OUT_OF_MEMORY if isinstance(error, DoesNotFit) else ErrorCode.MODEL_FAILED
        self._sender.tell(self._registry, EngineDown(self._context.engine, "executor", reason, final=True, code=code))

    def up(
        self, backend: Backend, context_length: int, page_type: str, drafter: DrafterInfo | None, least_pages: int
    ) -> None:
        """The model is loaded, and ``bytes`` says what it takes. ``least_pages``: bytes of the pages that a load makes
        sure of."""
        self._backend = backend
        device, held = backend.memory(), self.bytes
        up = EngineUp(
            self._context.engine,
            context_length,
            held.weights + held.pages,
            backend.name,
            process=os.getpid() if self._settings.own_process else 0,
            device_bytes=device.held if device else 0,
            device_total=device.total if device else 0,
            device_shared=device.shared if device else True,
            pages_bytes=held.pages,
            least_pages_bytes=min(least_pages, held.pages),
            page_type=page_type,
            drafter=(drafter.name or drafter.kind) if drafter is not None else "",
            undrafted=self._undrafted if drafter is None else "",
        )
        self._sender.tell(self._registry, up)

    def goes_without(self, reason: str) -> None:
        """Notes why nothing drafts that was to."""
        self._undrafted = reason
        log.warning("%s goes without a draft model: %s", self._context.engine, reason)

    # While it serves.

    def drafter_failed(self, reason: str) -> None:
        """Tells everybody that what made drafts is gone: the engine goes on without."""
        self.goes_without(reason)
        self.bytes.weights -= self.bytes.drafting
        self.bytes.drafting = 0
        self._sender.tell(self._registry, DrafterFailed(self._context.engine, reason))
        self.tell_scheduler(DrafterLost(self._context.epoch))
        self.memory_changed()

    def memory_changed(self) -> None:
        """Tells the registry what weights, pages and adapters take now. On any thread."""
        device, held = self._backend.memory(), self.bytes
        taken = held.weights + held.pages + self._adapters.nbytes
        on_device = device.held if device is not None else 0
        self._share(self._registry, EngineMemory(self._context.engine, taken, on_device, held.pages))

    def adapter_loaded(self, digest: str, error: str | None) -> None:
        """On the loader's thread."""
        self._share(self._scheduler, AdapterLoaded(self._context.epoch, digest, error))
        self.memory_changed()

    def constraint_compiled(self, command: CompileConstraint, made: Future[Compiled]) -> None:
        """On the compiler's thread, or on the device's where the constraint was known."""
        error = str(made.result()) if isinstance(made.result(), ConstraintError) else None
        self._share(self._scheduler, ConstraintCompiled(command.epoch, command.request, error))
