"""The device's thread: has the model loaded, then runs steps with the next one always queued behind the running one.

Cancellation contract: a step that was put here runs; its results may be dropped by whoever no longer wants them.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import anyio

from mlxr.actors.executor.adapters import AdapterLoader, AdapterTable
from mlxr.actors.executor.compiler import REST_SECONDS, Compiled, Compiler
from mlxr.actors.executor.constraints import ConstraintTable, vocabulary_of
from mlxr.actors.executor.disk import open_disk, page_contents
from mlxr.actors.executor.fitting_loader import FittingLoader, least_pages_bytes
from mlxr.actors.executor.launched import Launched
from mlxr.actors.executor.memory_need import DoesNotFit
from mlxr.actors.executor.model_runner import ModelRunner, PoolFullError, require_device
from mlxr.actors.executor.page_files import PageFiles
from mlxr.actors.executor.page_toucher import PageToucher
from mlxr.actors.executor.page_transfers import PageTransfers
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.executor.warm_up import STAGE, WarmUp
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.select import select_backend
from mlxr.models.architectures.decoder import Decoder
from mlxr.models.constraints import ConstraintError
from mlxr.models.page_types import described
from mlxr.runtime.actor import Context, Sender
from mlxr.runtime.bus import Address, Inbox
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.messages.common import ErrorCode, Message
from mlxr.runtime.messages.executor import (
    CancelRestore,
    CompileConstraint,
    Describe,
    ExecutorInbox,
    LoadAdapter,
    RestorePages,
    StartTransfers,
    Step,
    StorePages,
    UnloadAdapter,
)
from mlxr.runtime.messages.kv import LimitPool, capacity
from mlxr.runtime.messages.registry import DrafterFailed, EngineDown, EngineMemory, EngineUp, LoadProgress
from mlxr.runtime.messages.scheduler import (
    AdapterLoaded,
    ConstraintCompiled,
    DrafterInfo,
    DrafterLost,
    ExecutorReady,
    StepFailed,
)
from mlxr.runtime.pacing import Pacer, streams_run
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.executor")

GRACE_SECONDS = 0.002
"""How long to look for the next plan before waiting for the running step: longer than a plan's way here."""

LINGER = 0.7
"""Which part of a long step may pass before its end is waited for."""

PROGRESS_SECONDS = 0.1


class DeviceThread:
    """Owns MLX and reads the executor's inbox. ``start``, ``stop`` and ``watch`` are for the loop's thread."""

    def __init__(self, context: Context, settings: ExecutorSettings) -> None:
        self._context = context
        self._settings = settings
        self._stopping = threading.Event()
        self._started = False
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self._sender: Sender
        self._compiler: Compiler | None = None
        self._adapters = AdapterTable()
        self._weights = self._pool_bytes = self._draft_bytes = 0
        self._undrafted = ""
        self._told_progress = 0.0
        self._spec: PoolSpec | None = None
        self._backend: Backend
        self._adapter_loader: AdapterLoader | None = None
        self._answers: Sender
        """For whichever thread has ``_answering``."""
        self._answering = threading.Lock()
        self._files: PageFiles | None = None
        self._transfers: PageTransfers | None = None
        self._toucher: PageToucher | None = None
        self._copying = False
        """There is more to copy at once."""
        self._warm_up: WarmUp | None = None
        self._stepped = 0.0
        """When the last step was collected; never, while one runs."""

    def start(self, inbox: Inbox[ExecutorInbox]) -> None:
        threading.Thread(target=self._run, args=(inbox,), name="device", daemon=True).start()
        self._started = True

    async def stop(self) -> None:
        """Ends after the running step."""
        if not self._started:
            return
        self._stopping.set()
        self._context.bus.wake_up(self._context.address)
        await anyio.to_thread.run_sync(self._ended.wait)

    async def watch(self) -> None:
        """Raises what the thread dies of."""
        await anyio.to_thread.run_sync(self._ended.wait, abandon_on_cancel=True)
        if self._failure is not None:
            raise self._failure

    def _run(self, inbox: Inbox[ExecutorInbox]) -> None:
        self._sender = Sender("executor", self._context.bus.thread_copy())
        self._answers = Sender("executor", self._context.bus.thread_copy())
        try:
            with Pacer(self._context.run_directory if self._settings.own_process else "") as pacer:
                loaded = self._load(pacer)
            if loaded is not None:
                self._serve(inbox, *loaded)
        except BaseException as error:
            self._failure = error
        finally:
            if self._compiler is not None:
                self._compiler.stop()
            if self._adapter_loader is not None:
                self._adapter_loader.stop()
            if self._toucher is not None:
                self._toucher.stop()
            if self._files is not None:
                self._files.stop()
            self._sender.close()
            with self._answering:
                self._answers.close()
            self._ended.set()

    def _load(self, pacer: Pacer) -> tuple[ModelRunner, ExecutorReady] | None:
        """Loads the model and announce it; a file that can't be used is reported, and nothing is served."""
        registry, engine_name = Address("registry"), self._context.engine
        try:
            backend, choice = select_backend(
                self._settings.executor.backend, self._settings.executor.threads, Home.find().checks, pacer.pause
            )
            loader = FittingLoader(self._settings, backend, self._goes_without, again=bool(self._context.epoch))
            progress = self._progress(pacer)
            loaded = loader.load(progress)
            model, drafter, spec = loaded.model, loaded.drafter, loaded.spec
            makeshift = self._settings.executor.backend == "auto" and choice.name == "reference"
            log.log(logging.WARNING if makeshift else logging.INFO, "%s computes with %s", engine_name, choice.reason)
            for note in model.notes:
                log.info("%s: %s", engine_name, note)
            vocabulary = partial(vocabulary_of, Path(self._settings.path), model.vocab_size)
            compiler = Compiler(vocabulary, resting=self._rests)
            constraints = ConstraintTable(compiler, model.vocab_size)
            runner = ModelRunner(model, backend, spec, constraints, self._adapters, drafter, self._drafter_failed)
        except Exception as error:
            # The same file would fail the same way again: the engine is given up, and nobody else is touched.
            reason = str(error)
            if not isinstance(error, MlxrError | ValueError | OSError):
                log.exception("%s can't be loaded", self._settings.path)
                reason = f"{self._settings.path} can't be loaded: {type(error).__name__}: {error}"
            code = ErrorCode.OUT_OF_MEMORY if isinstance(error, DoesNotFit) else ErrorCode.MODEL_FAILED
            self._sender.tell(registry, EngineDown(engine_name, "executor", reason, final=True, code=code))
            return None
        self._backend = backend
        self._stepped = time.monotonic()
        compiler.start()
        self._compiler = compiler
        self._adapter_loader = AdapterLoader(model, backend, self._adapters, self._adapter_loaded)
        self._adapter_loader.start()
        if spec is not None and isinstance(model.model, Decoder):
            self._warm_up = WarmUp(model.model, backend, spec, loaded.room_beside, time.monotonic())
        groups = loaded.groups
        longest = [self._settings.executor.context_length, model.context_length, capacity(groups)]
        context = min(length for length in longest if length)
        self._draft_bytes, self._spec = loaded.draft_bytes, spec
        self._weights = model.nbytes + self._draft_bytes
        self._pool_bytes = backend.sizes.pool(spec) if spec else 0
        contents = page_contents(self._settings.content, backend, spec)
        if spec is not None:
            self._open_disk(runner, backend, contents)
        on_disk, info = self._files is not None, drafter.info if drafter is not None else None
        ready = ExecutorReady(self._context.epoch, groups, contents, backend.step_tokens, on_disk, info)
        self._sender.tell(self._scheduler, ready)
        page_type = described(tuple(part.group for part in spec.groups)) if spec is not None else ""
        self._sender.tell(registry, self._up(context, backend, page_type, info))
        return runner, ready

    def _rests(self) -> bool:
        """Whether there has been no step for a while, however long the last one took; on the compiler's thread."""
        return time.monotonic() - self._stepped > REST_SECONDS

    def _open_disk(self, runner: ModelRunner, backend: Backend, contents: list[str]) -> None:
        """Opens the folder in which pages of this model lie, if there is to be one."""
        bus, address = self._context.bus.thread_copy(), self._context.address
        kv = Address.of("kv", self._context.engine)
        files = open_disk(
            self._settings,
            backend,
            runner.pool,
            contents,
            self._context.epoch,
            partial(self._answer, kv),
            lambda: bus.wake_up(address),
        )
        if files is not None:
            files.start()
            self._files = files
            self._toucher = PageToucher(backend, lambda: runner.pool_if_any)
            self._toucher.start(files.on_disk)
            tell, touch = partial(self._sender.tell, kv), self._toucher.touch
            self._transfers = PageTransfers(backend, lambda: runner.pool, files, tell, touch)

    def _answer(self, receiver: Address, message: Message) -> None:
        """Tells somebody something; on whichever thread."""
        with self._answering:
            self._answers.tell(receiver, message)

    def _up(self, context: int, backend: Backend, page_type: str, drafter: DrafterInfo | None) -> EngineUp:
        device = backend.memory()
        return EngineUp(
            self._context.engine,
            context,
            self._weights + self._pool_bytes,
            backend.name,
            process=os.getpid() if self._settings.own_process else 0,
            device_bytes=device.held if device else 0,
            device_total=device.total if device else 0,
            device_shared=device.shared if device else True,
            pages_bytes=self._pool_bytes,
            least_pages_bytes=min(least_pages_bytes(self._settings, self._spec, context, backend), self._pool_bytes),
            page_type=page_type,
            drafter=(drafter.name or drafter.kind) if drafter is not None else "",
            undrafted=self._undrafted if drafter is None else "",
        )

    @property
    def _scheduler(self) -> Address:
        return Address.of("scheduler", self._context.engine)

    def _goes_without(self, reason: str) -> None:
        """Notes why nothing drafts that was to."""
        self._undrafted = reason
        log.warning("%s goes without a draft model: %s", self._context.engine, reason)

    def _drafter_failed(self, reason: str) -> None:
        """Tells everybody that what made drafts is gone: the engine goes on without."""
        self._goes_without(reason)
        self._weights -= self._draft_bytes
        self._draft_bytes = 0
        self._sender.tell(Address("registry"), DrafterFailed(self._context.engine, reason))
        self._sender.tell(self._scheduler, DrafterLost(self._context.epoch))
        self._memory_changed()

    def _progress(self, pacer: Pacer) -> Callable[[str, float], None]:
        def report(stage: str, fraction: float) -> None:
            pacer.pause()
            self._tell_progress(stage, fraction)

        return report

    def _tell_progress(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if now - self._told_progress >= PROGRESS_SECONDS or fraction >= 1.0:
            self._told_progress = now
            self._sender.tell(Address("registry"), LoadProgress(self._context.engine, stage, fraction))

    def _serve(self, inbox: Inbox[ExecutorInbox], runner: ModelRunner, ready: ExecutorReady) -> None:
        previous: Launched | None = None
        while not self._stopping.is_set():
            message, wait_ns = self._next(inbox, previous)
            if self._warm_up is not None and (message is not None or previous is not None):
                self._warm_up.note_work(time.monotonic())
            match message:
                case Describe():
                    self._sender.tell(self._scheduler, ready)
                case CompileConstraint():
                    self._compile_constraint(message)
                case LoadAdapter() if message.epoch == self._context.epoch:
                    assert self._adapter_loader is not None
                    self._adapter_loader.load(message.adapter)
                case UnloadAdapter() if message.epoch == self._context.epoch:
                    self._adapters.forget(message.digest)
                    self._memory_changed()
                case Step() if message.epoch == self._context.epoch:
                    self._keep_from_touching(message, runner.pages)
                    if message.sizes and previous is not None:
                        previous = self._advance(runner, None, 0, previous)
                    previous = self._advance(runner, message, wait_ns, previous)
                    if message.sizes:
                        self._note_limits([size.limit for size in message.sizes])
                case StartTransfers() | StorePages() | RestorePages() | CancelRestore() if (
                    message.epoch == self._context.epoch
                ):
                    self._transfer(message, previous)
                case None if previous is not None and not self._lingers(previous):
                    previous = self._advance(runner, None, 0, previous)
                case None if previous is None:
                    self._compile_ahead()
            self._copy(previous)

    def _keep_from_touching(self, step: Step, there: list[int]) -> None:
        """Has nobody touch pages that ``step`` takes the memory of. ``there``: how many have it."""
        lost = any(size.pages < count for size, count in zip(step.sizes, there, strict=False))
        if lost and self._toucher is not None:
            self._toucher.clear()

    def _note_limits(self, pages: list[int]) -> None:
        """The cache groups may have so many pages from now on."""
        if self._spec is None:
            return
        self._pool_bytes = self._backend.sizes.pool(self._spec.sized(pages))
        self._memory_changed()

    def _compile_constraint(self, command: CompileConstraint) -> None:
        assert self._compiler is not None
        made = self._compiler.compile(command.constraint)
        made.add_done_callback(partial(self._compiled, command))

    def _compiled(self, command: CompileConstraint, made: Future[Compiled]) -> None:
        """Answer; on the compiler's thread, or on the device's where the constraint was known."""
        error = str(made.result()) if isinstance(made.result(), ConstraintError) else None
        with self._answering:
            self._answers.tell(self._scheduler, ConstraintCompiled(command.epoch, command.request, error))

    def _adapter_loaded(self, digest: str, error: str | None) -> None:
        """Answer; on the loader's thread."""
        with self._answering:
            self._answers.tell(self._scheduler, AdapterLoaded(self._context.epoch, digest, error))
        self._memory_changed()

    def _memory_changed(self) -> None:
        """Tells the registry what weights, pages and adapters take now; on any thread."""
        device = self._backend.memory()
        held = EngineMemory(
            self._context.engine,
            self._weights + self._pool_bytes + self._adapters.nbytes,
            device.held if device is not None else 0,
            self._pool_bytes,
        )
        with self._answering:
            self._answers.tell(Address("registry"), held)

    def _next(self, inbox: Inbox[ExecutorInbox], previous: Launched | None) -> tuple[ExecutorInbox | None, int]:
        """Returns the next message and how long the device was idle for it; None when the running step should be
        collected, or the thread is to end."""
        if previous is not None:
            # Behind a step with drafts none is planned before its answer.
            return inbox.receive(0 if previous.drafts else GRACE_SECONDS), 0
        began = time.monotonic_ns()
        until_piece = self._warm_up.wait(began / 1e9) if self._warm_up is not None else None
        message = inbox.receive(0 if self._copying else until_piece)
        return message, time.monotonic_ns() - began

    def _compile_ahead(self) -> None:
        """Has kernels compiled that requests will want, where nobody wants anything now."""
        warm_up, now = self._warm_up, time.monotonic()
        if warm_up is None or self._copying or warm_up.wait(now) != 0:
            return
        if streams_run(self._context.run_directory):
            warm_up.note_work(now)
            return
        warm_up.advance()
        self._tell_progress(STAGE, warm_up.done)

    # Pages to and from the disk.

    def _transfer(
        self, command: StartTransfers | StorePages | RestorePages | CancelRestore, previous: Launched | None
    ) -> None:
        transfers, behind = self._transfers, previous.step.step if previous is not None else None
        if transfers is None:
            return
        match command:
            case StartTransfers():
                transfers.open(describe=command.describe)
            case StorePages():
                transfers.store(command, behind)
            case RestorePages():
                transfers.restore(command, behind)
            case CancelRestore():
                transfers.cancel(command.batch)

    def _copy(self, previous: Launched | None) -> None:
        """Copies what is due, for a moment."""
        if self._transfers is not None:
            self._copying = self._transfers.advance(previous.step.step if previous is not None else None)

    def _lingers(self, previous: Launched) -> bool:
        """Whether there is time to copy pages for somebody who waits, while a prompt's long step runs: who waits for a
        step does nothing else."""
        if self._transfers is None or not (self._copying or self._transfers.reading):
            return False
        ran = (time.monotonic_ns() - previous.launched_ns) / 1e9
        return ran < LINGER * self._transfers.seconds_of(previous.step)

    def _advance(
        self, runner: ModelRunner, step: Step | None, wait_ns: int, previous: Launched | None
    ) -> Launched | None:
        """Queues ``step`` behind ``previous``, then collects ``previous``."""
        self._stepped = math.inf
        running = [s for s in (previous.step if previous else None, step) if s is not None]
        launched: Launched | None = None
        try:
            if step is not None:
                launched = runner.launch(step, wait_ns)
            if previous is not None:
                done = runner.finish(previous)
                self._sender.tell(self._scheduler, done)
                if self._transfers is not None:
                    self._transfers.note(previous.step, done)
                running = running[1:]
            if launched is not None:
                runner.sample(launched)
            else:
                self._stepped = time.monotonic()
            return launched
        except Exception as error:
            log.exception("step %s failed", [failed.step for failed in running])
            # Without a device this process ends, and its sequences go on in the next one, as after any other end.
            require_device()
            reason = f"the step failed on the device: {error}"
            pages = error.pages if isinstance(error, PoolFullError) else None
        # Only here is the error gone, and with it what the step was computing with, the old pool among it.
        for broken in (previous, launched):
            if broken is not None:
                broken.drop_arrays()
        self._start_over(runner, running, reason, pages)
        return None

    def _start_over(self, runner: ModelRunner, failed: list[Step], reason: str, pages: list[int] | None) -> None:
        """Tells whose rows are void, and makes a clean pool for the next step: whatever it is that failed, it came of
        these rows. ``pages``: how many of each group there is memory for, where more were wanted."""
        if pages is not None and self._spec is not None:
            # What is there has to do from now on; the KV manager keeps to it in the next pool, too.
            there = self._backend.sizes.pool(self._spec.sized(pages))
            self._sender.tell(Address.of("kv", self._context.engine), LimitPool(there))
        ids = [row.sequence for step in failed for row in step.rows]
        self._sender.tell(self._scheduler, StepFailed(self._context.epoch, failed[-1].step, ids, reason))
        if self._transfers is not None:
            self._transfers.close()
        if self._toucher is not None:
            self._toucher.clear()
        runner.clear()
        self._stepped = time.monotonic()
