"""An executor whose model takes no time: what is left of a token's way is the runtime's own cost.

It speaks the executor's whole protocol. Each sequence's output is its prompt over and over. A step takes
``BENCH_STEP_SECONDS`` (0 if unset), steps queue behind one another as on a device, and the time at which each token was
done is written to the file ``BENCH_TRACE``.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from typing import Any, BinaryIO

import anyio

from mlxr.runtime.actor import Actor, Context, Sender
from mlxr.runtime.bus import Address, Inbox
from mlxr.runtime.messages.executor import Describe, Step
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.registry import EngineUp
from mlxr.runtime.messages.scheduler import ExecutorReady, Sampled, StepDone

PAGES, PAGE_SIZE, CONTEXT = 8192, 32, 8192

RECORD = struct.Struct("<qq")
"""One token in the trace: its sequence, and ``time.monotonic_ns`` when its step was done."""


class NullExecutor(Actor):
    """The device is a thread that sleeps and reads the inbox itself, so that waking it costs what it costs the real
    executor."""

    kind = "executor"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._scheduler = self.peer("scheduler")
        self._ready = ExecutorReady(context.epoch, [GroupPages(CacheKind.FULL, PAGES, PAGE_SIZE)])
        self._stopping = threading.Event()
        self._ended = threading.Event()

    async def receive(self, inbox: Inbox[Any]) -> None:
        threading.Thread(target=self._serve, args=(inbox,), name="device", daemon=True).start()
        self.tell(self._scheduler, self._ready)
        self.tell(Address("registry"), EngineUp(self.context.engine, CONTEXT, 0, "null"))
        await anyio.to_thread.run_sync(self._ended.wait, abandon_on_cancel=True)

    async def stop(self) -> None:
        self._stopping.set()
        self.context.bus.wake_up(self.address)
        await anyio.to_thread.run_sync(self._ended.wait)

    def _serve(self, inbox: Inbox[Step | Describe]) -> None:
        sender = Sender("executor", self.context.bus.thread_copy())
        pace = float(os.environ.get("BENCH_STEP_SECONDS", "0"))
        with open(os.environ.get("BENCH_TRACE", os.devnull), "ab") as trace:
            outputs = Outputs(trace)
            while not self._stopping.is_set():
                began = time.monotonic_ns()
                step = inbox.receive()
                if isinstance(step, Describe):
                    sender.tell(self._scheduler, self._ready)
                if not isinstance(step, Step) or step.epoch != self.context.epoch:
                    continue
                launched = time.monotonic_ns()
                sampled = outputs.run(step)
                if pace:
                    time.sleep(max(0.0, pace - (time.monotonic_ns() - launched) * 1e-9))
                done = time.monotonic_ns()
                ran = [row.sequence for row in step.rows]
                sender.tell(
                    self._scheduler,
                    StepDone(
                        step.epoch,
                        step.step,
                        sampled,
                        device_ns=done - launched,
                        wait_ns=launched - began,
                        done_ns=done,
                        ran=ran,
                    ),
                )
                outputs.note(sampled, done)
        sender.close()
        self._ended.set()


class Outputs:
    """What each sequence says next."""

    def __init__(self, trace: BinaryIO) -> None:
        self._trace = trace
        self._prompts: dict[int, list[int]] = {}
        self._said: dict[int, int] = {}

    def run(self, step: Step) -> list[Sampled]:
        if step.reset:
            self._prompts.clear()
            self._said.clear()
        for sequence in step.forget:
            self._prompts.pop(sequence, None)
            self._said.pop(sequence, None)
        sampled: list[Sampled] = []
        for row in step.rows:
            for sequence, setup in (*((row.sequence, setup) for setup in [row.setup] if setup), *row.register):
                self._prompts[sequence] = setup.tokens.list()
            for sequence in row.sample:
                prompt, said = self._prompts[sequence], self._said.get(sequence, 0)
                self._said[sequence] = said + 1
                sampled.append(Sampled(sequence, prompt[said % len(prompt)]))
        return sampled

    def note(self, sampled: list[Sampled], done: int) -> None:
        for token in sampled:
            self._trace.write(RECORD.pack(token.sequence, done))
        self._trace.flush()
