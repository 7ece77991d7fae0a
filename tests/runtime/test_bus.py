"""Mailboxes over real ZeroMQ sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import Describe, ExecutorInbox, Step

pytestmark = pytest.mark.anyio

HERE = Address.of("executor", "test")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path, lambda address: address == HERE)
    yield bus
    bus.close()


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
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inbox.consume, handle)
            with anyio.fail_after(10):
                await done.wait()
            tasks.cancel_scope.cancel()
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

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.consume, go_on)
        with anyio.fail_after(10):
            await rest.wait()
        tasks.cancel_scope.cancel()
    inbox.close()
    assert seen == [0, 1, 2]


def test_closing_a_mailbox_leaves_no_socket_file(bus: Bus, tmp_path: Path) -> None:
    inbox = bus.inbox(HERE, ExecutorInbox)
    assert list(tmp_path.iterdir())
    inbox.close()
    assert not list(tmp_path.iterdir())


def test_an_address_names_its_kind_and_engine() -> None:
    assert (HERE.kind, HERE.engine) == ("executor", "test")
    assert (Address("frontend").kind, Address("frontend").engine) == ("frontend", "")
