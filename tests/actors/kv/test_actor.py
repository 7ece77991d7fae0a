"""The KV manager's shell: how long it waits for a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from mlxr.actors.kv import actor as module
from mlxr.actors.kv.actor import KVActor
from mlxr.actors.kv.prefix import PrefixChain, chain_root
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus, Inbox
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import CancelRestore, RestorePages, StartTransfers
from mlxr.runtime.messages.kv import (
    Admit,
    CacheKind,
    DiskOpened,
    GroupPages,
    PagesRestored,
    Plan,
    PlanRow,
    PoolPagesFound,
    Release,
    Reset,
    SegmentsFound,
    StoredPage,
    StoredSegment,
)
from mlxr.runtime.messages.scheduler import Admitted
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.telemetry import Telemetry

pytestmark = pytest.mark.anyio

PROMPT = TokenIds.of(range(40))
PAGE_BYTES = 1000
M = TypeVar("M", bound=Message)


class Rig:
    """A KV manager, and the inboxes of its scheduler and executor."""

    def __init__(self, tmp_path: Path) -> None:
        self._bus = Bus(tmp_path, lambda address: True)
        self.address = Address.of("kv", "m")
        self.inbox = self._open("kv")
        self._scheduler, self._executor = self._open("scheduler"), self._open("executor")
        self.actor = KVActor(Context(self.address, self._bus, Telemetry(), tmp_path))

    def _open(self, kind: str) -> Inbox[Message]:
        return self._bus.inbox(Address.of(kind, "m"), INBOXES[kind])

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self._bus.tell(self.address, message)

    async def told(self, of: type[M]) -> M:
        """The next message of that kind; others are dropped."""
        inbox = self._scheduler if of is Admitted else self._executor
        while not isinstance(message := await anyio.to_thread.run_sync(inbox.receive, 20.0), of):
            assert message is not None, f"no {of.__name__} came"
        return message

    def reset(self, pages: int = 100) -> None:
        self.tell(Reset(1, [GroupPages(CacheKind.FULL, pages, 8)], ["m"], 64, disk=True))

    def on_disk(self) -> tuple[DiskOpened, SegmentsFound]:
        """What the executor tells of a disk with the prompt."""
        chain = PrefixChain(PROMPT, 8, chain_root("m"))
        pages = [StoredPage(chain.at(end)) for end in (8, 16, 24, 32)]
        return DiskOpened(1, [PAGE_BYTES], 1 << 30), SegmentsFound(1, [StoredSegment("a", 0, pages)], last=True)

    def close(self) -> None:
        for inbox in (self.inbox, self._scheduler, self._executor):
            inbox.close()
        self._bus.close()


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.actor.run, rig.inbox)
        yield rig
        tasks.cancel_scope.cancel()
    rig.close()


async def test_nothing_is_looked_up_before_it_is_known_what_lies_on_disk(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.reset()
        rig.tell(Admit(1, PROMPT, 1))
        assert (await rig.told(StartTransfers)).describe
        rig.tell(*rig.on_disk())
        read = await rig.told(RestorePages)
        assert len(read.pages) == 4
        rig.tell(PagesRestored(read.batch, [True] * 4))
        admitted = await rig.told(Admitted)
        assert (admitted.cached, admitted.restored) == (32, 32)


async def test_what_is_still_in_memory_is_not_read(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.reset()
        opened, found = rig.on_disk()
        pages = found.segments[0].pages
        rig.tell(opened, PoolPagesFound(1, 0, [7, 3, 0], pages[:3]), found, Admit(1, PROMPT, 1))
        read = await rig.told(RestorePages)
        assert read.addresses == [pages[3].address]
        assert read.pages[0] not in (7, 3, 0)
        rig.tell(PagesRestored(read.batch, [True]))
        admitted = await rig.told(Admitted)
        assert (admitted.cached, admitted.restored) == (32, 8)


async def test_what_lies_on_disk_is_read_soon_if_nobody_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PREFETCH_SECONDS", 0.05)
    async with running(tmp_path) as rig:
        rig.reset()
        rig.tell(*rig.on_disk())
        read = await rig.told(RestorePages)
        rig.tell(PagesRestored(read.batch, [True] * 4), Admit(1, PROMPT, 1))
        admitted = await rig.told(Admitted)
        assert (admitted.cached, admitted.restored) == (32, 0)


async def test_a_pool_that_starts_over_with_its_executor_need_not_look_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.reset()
        assert (await rig.told(StartTransfers)).describe
        rig.tell(*rig.on_disk())
        rig.reset()
        assert not (await rig.told(StartTransfers)).describe
        rig.tell(Admit(1, PROMPT, 1))
        assert len((await rig.told(RestorePages)).pages) == 4


async def test_who_asks_goes_on_when_nobody_says_what_lies_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DESCRIBED_SECONDS", 0.2)
    async with running(tmp_path) as rig:
        rig.reset()
        rig.tell(Admit(1, PROMPT, 1))
        assert (await rig.told(Admitted)).cached == 0


async def test_who_waits_for_a_disk_that_does_not_answer_goes_on_and_nobody_waits_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.2)
    async with running(tmp_path) as rig:
        rig.reset()
        rig.tell(*rig.on_disk(), Admit(1, PROMPT, 1))
        read = await rig.told(RestorePages)
        cancelled = await rig.told(CancelRestore)
        assert cancelled.batch == read.batch
        rig.tell(PagesRestored(read.batch, [], cancelled=True))
        assert (await rig.told(Admitted)).cached == 0
        rig.tell(Admit(2, PROMPT, 2))
        assert (await rig.told(Admitted)).sequence == 2
    assert "does not answer" in caplog.text


async def test_who_waited_for_anothers_read_is_admitted_before_what_came_later_releases_it(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.reset(pages=10)
        rig.tell(*rig.on_disk(), Admit(1, TokenIds.of([50] * 24), 1))
        empty = (await rig.told(Admitted)).room[0] + 4
        rig.tell(Admit(2, PROMPT, 2), Admit(3, PROMPT, 3))
        read = await rig.told(RestorePages)
        # The first needs more than what is not read into, and behind that the third goes.
        rig.tell(Plan(1, 1, [PlanRow(1, 0, 56, TokenIds.of([50] * 56))]), Plan(1, 2, [], releases=[Release(3)]))
        assert (await rig.told(CancelRestore)).batch == read.batch
        rig.tell(PagesRestored(read.batch, [], cancelled=True))
        assert [(await rig.told(Admitted)).sequence for _ in range(2)] == [2, 3]
        rig.tell(Plan(1, 3, [], releases=[Release(1), Release(2)]), Admit(4, TokenIds.of([1] * 7), 4, reuse=False))
        assert (await rig.told(Admitted)).room == [empty - 1]


async def test_a_disk_that_hangs_while_it_is_read_before_anybody_asks_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PREFETCH_SECONDS", 0.05)
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)
    async with running(tmp_path) as rig:
        rig.reset()
        rig.tell(*rig.on_disk())
        read = await rig.told(RestorePages)
        assert (await rig.told(CancelRestore)).batch == read.batch
        rig.tell(PagesRestored(read.batch, [], cancelled=True))
        rig.reset()
        await rig.told(StartTransfers)
        await rig.actor._prefetch(rig.actor._resets)
        assert not rig.actor._disk.reading
