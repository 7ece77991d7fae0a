"""The scheduler's shell: in which order it tells what the core decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec

from mlxr.actors.scheduler.actor import SchedulerActor
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import Message, sequence_id
from mlxr.runtime.messages.kv import Admit, Plan
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, Pooled, StepDone, Submit, Task
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Embedded
from mlxr.runtime.telemetry import Telemetry
from tests.actors.scheduler.rig import POOL, SMALL, prompt_of

OWN = Address.of("scheduler", "e")
OTHERS = [Address("frontend"), *(Address.of(kind, "e") for kind in ("tokenizer", "kv", "executor"))]


async def test_an_answer_goes_ahead_of_the_pages_that_it_gives_back(tmp_path: Path) -> None:
    bus = Bus(tmp_path, lambda address: True)
    inboxes = {address: bus.inbox(address, INBOXES[address.kind]) for address in (*OTHERS, OWN)}
    actor = SchedulerActor(Context(OWN, bus, Telemetry(), tmp_path, msgspec.json.encode(SMALL)))
    said: list[Message] = []
    news = anyio.Event()

    def hear(message: Message) -> None:
        nonlocal news
        said.append(message)
        news.set()
        news = anyio.Event()

    async def first(wanted: Callable[[Message], bool]) -> int:
        with anyio.fail_after(30):
            while not (found := [place for place, message in enumerate(said) if wanted(message)]):
                await news.wait()
        return found[0]

    id = sequence_id(1, 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(actor.run, inboxes[OWN])
        for address in OTHERS:
            tasks.start_soon(inboxes[address].consume, hear)
        bus.tell(OWN, ExecutorReady(0, POOL))
        bus.tell(OWN, Submit(1, TokenIds.of(prompt_of(5)), Task.EMBED))
        admit = said[await first(lambda message: isinstance(message, Admit))]
        assert isinstance(admit, Admit)
        bus.tell(OWN, Admitted(id, 0, admit.ticket, [90]))
        plan = said[await first(lambda message: isinstance(message, Plan))]
        assert isinstance(plan, Plan)
        bus.tell(OWN, StepDone(0, plan.step, [], pooled=[Pooled(id, bytes(8))], ran=[id]))
        answered = await first(lambda message: isinstance(message, Embedded))
        given_back = await first(lambda message: isinstance(message, Plan) and bool(message.releases))
        tasks.cancel_scope.cancel()
    for inbox in inboxes.values():
        inbox.close()
    bus.close()
    assert answered < given_back
