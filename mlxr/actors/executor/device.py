"""The device's thread: has the model loaded, then runs steps with the next one always queued behind the running one.

Cancellation contract: a step that was put here runs; its results may be dropped by whoever no longer wants them.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from functools import partial
from pathlib import Path

import anyio

from mlxr.actors.executor.adapters import AdapterLoader, AdapterTable
from mlxr.actors.executor.compiler import REST_SECONDS, Compiler
from mlxr.actors.executor.constraints import ConstraintTable, vocabulary_of
from mlxr.actors.executor.device_faults import PoolFullError, require_device
from mlxr.actors.executor.disk import page_contents
from mlxr.actors.executor.engine_reports import EngineBytes, EngineReports
from mlxr.actors.executor.fitting_loader import FittingLoader, Loaded, least_pages_bytes
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.pages_on_disk import PagesOnDisk
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.executor.warm_up import STAGE, WarmUp
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.select import select_backend
from mlxr.models.architectures.decoder import Decoder
from mlxr.models.page_types import described
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Inbox
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
from mlxr.runtime.messages.scheduler import ExecutorReady, StepFailed
from mlxr.runtime.pacing import Pacer, loads_run, streams_run
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.executor")

GRACE_SECONDS = 0.002
"""How long to look for the next plan before waiting for the running step: longer than a plan's way here."""


class DeviceThread:
    """Owns MLX and reads the executor's inbox. ``start``, ``stop`` and ``watch`` are for the loop's thread."""

    def __init__(self, context: Context, settings: ExecutorSettings) -> None:
        self._context = context
        self._settings = settings
        self._stopping = threading.Event()
        self._started = False
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self._compiler: Compiler | None = None
        self._adapters = AdapterTable()
        self._adapter_loader: AdapterLoader | None = None
        self._reports = EngineReports(context, settings, self._adapters)
        self._spec: PoolSpec | None = None
        self._backend: Backend
        self._pages = PagesOnDisk()
        self._shared: SharedPool | None = None
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
        self._reports.open()
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
            self._pages.stop()
            if self._shared is not None:
                self._shared.delete()
            self._reports.close()
            self._ended.set()

    def _load(self, pacer: Pacer) -> tuple[ModelRunner, ExecutorReady] | None:
        """Loads the model and announces it; a file that can't be used is reported, and nothing is served."""
        engine_name, reports = self._context.engine, self._reports
        try:
            backend, choice = select_backend(
                self._settings.executor.backend, self._settings.executor.threads, Home.find().checks, pacer.pause
            )
            loader = FittingLoader(self._settings, backend, reports.goes_without, again=bool(self._context.epoch))
            loaded = loader.load(reports.progress(pacer))
            self._shared = loaded.shared
            model, drafter, spec = loaded.model, loaded.drafter, loaded.spec
            makeshift = self._settings.executor.backend == "auto" and choice.name == "reference"
            log.log(logging.WARNING if makeshift else logging.INFO, "%s computes with %s", engine_name, choice.reason)
            for note in model.notes:
                log.info("%s: %s", engine_name, note)
            vocabulary = partial(vocabulary_of, Path(self._settings.path), model.vocab_size)
            compiler = Compiler(vocabulary, resting=self._rests)
            constraints = ConstraintTable(compiler, model.vocab_size)
            runner = ModelRunner(
                model, backend, spec, constraints, self._adapters, drafter, reports.drafter_failed, loaded.shared
            )
        except Exception as error:
            reports.can_not_load(error)
            return None
        self._backend, self._spec = backend, spec
        self._stepped = time.monotonic()
        compiler.start()
        self._compiler = compiler
        self._adapter_loader = AdapterLoader(model, backend, self._adapters, reports.adapter_loaded)
        self._adapter_loader.start()
        if spec is not None and isinstance(model.model, Decoder):
            self._warm_up = WarmUp(model.model, backend, spec, loaded.room_beside, time.monotonic())
        return runner, self._announce(runner, backend, loaded)

    def _announce(self, runner: ModelRunner, backend: Backend, loaded: Loaded) -> ExecutorReady:
        """Tells scheduler and registry that the model is loaded; returns what the scheduler was told."""
        settings, reports, model, spec = self._settings, self._reports, loaded.model, loaded.spec
        drafting, pages = loaded.draft_bytes, backend.sizes.pool(spec) if spec else 0
        reports.bytes = EngineBytes(model.nbytes + drafting, pages, drafting)
        contents = page_contents(settings.content, backend, spec)
        on_disk = spec is not None and self._open_disk(runner, backend, contents, loaded.shared)
        info = loaded.drafter.info if loaded.drafter is not None else None
        ready = ExecutorReady(self._context.epoch, loaded.groups, contents, backend.step_tokens, on_disk, info)
        reports.tell_scheduler(ready)
        longest = [settings.executor.context_length, model.context_length, capacity(loaded.groups)]
        context = min(length for length in longest if length)
        page_type = described(tuple(part.group for part in spec.groups)) if spec is not None else ""
        reports.up(backend, context, page_type, info, least_pages_bytes(settings, spec, context, backend))
        return ready

    def _open_disk(self, runner: ModelRunner, backend: Backend, contents: list[str], shared: SharedPool | None) -> bool:
        bus, address, reports = self._context.bus.thread_copy(), self._context.address, self._reports
        return self._pages.open(
            self._settings,
            backend,
            runner,
            contents,
            self._context.epoch,
            tell=reports.tell_kv,
            answer=reports.answer_kv,
            wake=lambda: bus.wake_up(address),
            shared=shared,
        )

    def _rests(self) -> bool:
        """Whether there has been no step for a while, however long the last one took; on the compiler's thread."""
        return time.monotonic() - self._stepped > REST_SECONDS

    def _serve(self, inbox: Inbox[ExecutorInbox], runner: ModelRunner, ready: ExecutorReady) -> None:
        previous: LaunchedStep | None = None
        while not self._stopping.is_set():
            message, wait_ns = self._next(inbox, previous)
            if self._warm_up is not None and (message is not None or previous is not None):
                self._warm_up.note_work(time.monotonic())
            match message:
                case Describe():
                    self._reports.tell_scheduler(ready)
                case CompileConstraint():
                    self._compile_constraint(message)
                case LoadAdapter() if message.epoch == self._context.epoch:
                    assert self._adapter_loader is not None
                    self._adapter_loader.load(message.adapter)
                case UnloadAdapter() if message.epoch == self._context.epoch:
                    self._adapters.forget(message.digest)
                    self._reports.memory_changed()
                case Step() if message.epoch == self._context.epoch:
                    self._pages.resize(message, runner.pages)
                    self._pages.reach(message, runner.pages)
                    self._backend.share_cpus(loads_run(self._context.run_directory))
                    if message.sizes and previous is not None:
                        previous = self._advance(runner, None, 0, previous)
                    previous = self._advance(runner, message, wait_ns, previous)
                    if message.sizes:
                        self._note_limits([size.limit for size in message.sizes])
                case StartTransfers() | StorePages() | RestorePages() | CancelRestore() if (
                    message.epoch == self._context.epoch
                ):
                    self._pages.take(message, previous)
                case None if previous is not None and not self._pages.has_time(previous):
                    previous = self._advance(runner, None, 0, previous)
                case None if previous is None:
                    self._compile_ahead()
            self._pages.copy(previous)

    def _note_limits(self, pages: list[int]) -> None:
        """The cache groups may have so many pages from now on."""
        if self._spec is None:
            return
        self._reports.bytes.pages = self._backend.sizes.pool(self._spec.sized(pages))
        self._reports.memory_changed()

    def _compile_constraint(self, command: CompileConstraint) -> None:
        assert self._compiler is not None
        made = self._compiler.compile(command.constraint)
        made.add_done_callback(partial(self._reports.constraint_compiled, command))

    def _next(self, inbox: Inbox[ExecutorInbox], previous: LaunchedStep | None) -> tuple[ExecutorInbox | None, int]:
        """Returns the next message and how long the device was idle for it; None when the running step should be
        collected, or the thread is to end."""
        if previous is not None:
            waits = previous.step.awaited and not self._pages.has_time(previous)
            return inbox.receive(0 if waits else GRACE_SECONDS), 0
        began = time.monotonic_ns()
        until_piece = self._warm_up.wait(began / 1e9) if self._warm_up is not None else None
        message = inbox.receive(0 if self._pages.copying else until_piece)
        return message, time.monotonic_ns() - began

    def _compile_ahead(self) -> None:
        """Has kernels compiled that requests will want, where nobody wants anything now."""
        warm_up, now = self._warm_up, time.monotonic()
        if warm_up is None or self._pages.copying or warm_up.wait(now) != 0:
            return
        if streams_run(self._context.run_directory):
            warm_up.note_work(now)
            return
        warm_up.advance()
        self._reports.tell_progress(STAGE, warm_up.done)

    def _advance(
        self, runner: ModelRunner, step: Step | None, wait_ns: int, previous: LaunchedStep | None
    ) -> LaunchedStep | None:
        """Queues ``step`` behind ``previous``, then collects ``previous``."""
        self._stepped = math.inf
        running = [s for s in (previous.step if previous else None, step) if s is not None]
        launched: LaunchedStep | None = None
        try:
            if step is not None:
                launched = runner.launch(step, wait_ns)
            if previous is not None:
                done = runner.finish(previous)
                self._reports.tell_scheduler(done)
                self._pages.note(previous.step, done)
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
            self._reports.tell_kv(LimitPool(there))
        ids = [row.sequence for step in failed for row in step.rows]
        self._reports.tell_scheduler(StepFailed(self._context.epoch, failed[-1].step, ids, reason))
        self._pages.clear()
        runner.clear()
        self._stepped = time.monotonic()
