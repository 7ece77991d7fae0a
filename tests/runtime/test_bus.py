"""Mailboxes over real ZeroMQ sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mlxr.runtime.bus import Address, Bus, Inbox
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import Describe, ExecutorInbox, Step

pytestmark = pytest.mark.anyio

HERE = Address.of("executor", "test")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path, lambda address: address == HERE)
    yield bus
    bus.close()


async def consume_until(done: anyio.Event, inbox: Inbox[Any], handle: Callable[[Any], None]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.consume, handle)
        with anyio.fail_after(10):
            await done.wait()
        tasks.cancel_scope.cancel()


async def take(bus: Bus, count: int) -> list[Message]:
    """The first ``count`` messages at ``HERE``."""
    inbox = bus.inbox(HERE, ExecutorInbox)
    received: list[Message] = []
    done = anyio.Event()

    def handle(message: Message) -> None:
        received.append(message)
        if len(received) == count:
            done.set()

    try:
        await consume_until(done, inbox, handle)
    finally:
        inbox.close()
    return received


async def test_messages_arrive_whole_and_in_order(bus: Bus) -> None:
    sent = [Step(epoch=0, step=number, rows=[]) for number in range(500)]
    for step in sent:
        bus.tell(HERE, step)
    assert await take(bus, 500) == sent


async def test_what_was_sent_before_the_mailbox_was_bound_is_not_lost(bus: Bus) -> None:
    bus.tell(HERE, Describe())
    assert await take(bus, 1) == [Describe()]


async def test_another_process_reaches_the_same_mailbox(bus: Bus, tmp_path: Path) -> None:
    def send() -> None:
        other = Bus(tmp_path, lambda address: False)
        other.tell(HERE, Describe())
        other.close(linger=5)

    thread = threading.Thread(target=send)
    thread.start()
    assert await take(bus, 1) == [Describe()]
    thread.join()


async def test_a_handler_that_raises_ends_consuming_with_its_error(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)

    def handle(message: Message) -> None:
        raise LookupError("no such row")

    bus.tell(HERE, Describe())
    with pytest.raises(LookupError, match="no such row"), anyio.fail_after(10):
        await inbox.consume(handle)
    inbox.close()


async def test_a_mailbox_keeps_what_arrives_between_two_consumers(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    for number in range(3):
        bus.tell(HERE, Step(epoch=0, step=number, rows=[]))
    seen: list[int] = []

    def crash_on_second(message: Step) -> None:
        seen.append(message.step)
        if len(seen) == 2:
            raise LookupError("crash")

    with pytest.raises(LookupError), anyio.fail_after(10):
        await inbox.consume(crash_on_second)
    rest = anyio.Event()

    def go_on(message: Step) -> None:
        seen.append(message.step)
        rest.set()

    await consume_until(rest, inbox, go_on)
    inbox.close()
    assert seen == [0, 1, 2]


async def test_an_actor_may_tell_itself_and_others_of_its_loop_while_it_handles_a_message(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    seen: list[int] = []
    done = anyio.Event()

    def handle(message: Step) -> None:
        seen.append(message.step)
        if message.step < 1000:
            bus.tell(HERE, Step(epoch=0, step=message.step + 1, rows=[]))
        else:
            done.set()

    bus.tell(HERE, Step(epoch=0, step=0, rows=[]))
    await consume_until(done, inbox, handle)
    inbox.close()
    assert seen == list(range(1001))


async def test_senders_here_and_elsewhere_lose_nothing_and_keep_their_order(bus: Bus, tmp_path: Path) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    near: list[int] = []
    far: list[int] = []
    done = anyio.Event()

    def handle(message: Step) -> None:
        (far if message.epoch else near).append(message.step)
        if len(near) == len(far) == 500:
            done.set()

    def send() -> None:
        other = Bus(tmp_path, lambda address: False)
        for number in range(500):
            other.tell(HERE, Step(epoch=1, step=number, rows=[]))
        other.close(linger=5)

    thread = threading.Thread(target=send)
    thread.start()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.consume, handle)
        with anyio.fail_after(10):
            for number in range(500):
                bus.tell(HERE, Step(epoch=0, step=number, rows=[]))
                await anyio.lowlevel.checkpoint()
            await done.wait()
        tasks.cancel_scope.cancel()
    thread.join()
    inbox.close()
    assert near == far == list(range(500))


async def test_what_was_told_before_anybody_consumed_comes_first(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    seen: list[int] = []
    done = anyio.Event()

    def handle(message: Step) -> None:
        seen.append(message.step)
        if message.step == 199:
            done.set()

    for number in range(150):
        bus.tell(HERE, Step(epoch=0, step=number, rows=[]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.consume, handle)
        await anyio.lowlevel.checkpoint()
        for number in range(150, 200):
            bus.tell(HERE, Step(epoch=0, step=number, rows=[]))
        with anyio.fail_after(10):
            await done.wait()
        tasks.cancel_scope.cancel()
    inbox.close()
    assert seen == list(range(200))


async def test_what_a_consumer_that_fails_has_not_handled_waits_for_the_next(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    seen: list[int] = []

    def crash_on_second(message: Step) -> None:
        seen.append(message.step)
        if message.step == 0:
            # From here on the loop's own actors are neighbours.
            for number in range(1, 5):
                bus.tell(HERE, Step(epoch=0, step=number, rows=[]))
        if message.step == 2:
            raise LookupError("crash")

    bus.tell(HERE, Step(epoch=0, step=0, rows=[]))
    with pytest.raises(LookupError), anyio.fail_after(10):
        await inbox.consume(crash_on_second)
    bus.tell(HERE, Step(epoch=0, step=5, rows=[]))
    rest = anyio.Event()

    def go_on(message: Step) -> None:
        seen.append(message.step)
        if message.step == 5:
            rest.set()

    await consume_until(rest, inbox, go_on)
    inbox.close()
    assert seen == [0, 1, 2, 3, 4, 5]


def test_a_thread_that_receives_can_be_roused_without_a_message(bus: Bus) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    bus.wake_up(HERE)
    bus.tell(HERE, Describe())
    assert inbox.receive(10) is None
    assert inbox.receive(10) == Describe()
    assert inbox.receive(0) is None
    inbox.close()


def test_closing_a_mailbox_leaves_no_socket_file(bus: Bus, tmp_path: Path) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    assert list(tmp_path.iterdir())
    inbox.close()
    assert not list(tmp_path.iterdir())


def test_an_address_names_its_kind_and_engine() -> None:
    assert (HERE.kind, HERE.engine) == ("executor", "test")
    assert (Address("frontend").kind, Address("frontend").engine) == ("frontend", "")
