"""The bus: typed mailboxes over ZeroMQ.

Every actor has one inbox, a PULL socket bound to ``inproc://`` for threads of its own process and to ``ipc://`` for all
others; whoever writes to it holds a PUSH socket. Actors of one loop have a pair of sockets to themselves. Sends never
block and are never dropped: queues are unbounded, because the scheduler's queue limit is where load is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import zmq

from mlxr.runtime.loop_queue import LARGE, LoopQueue
from mlxr.runtime.messages.common import Message
from mlxr.runtime.pubsub import Publisher

M = TypeVar("M")

BURST = 64
"""Messages one inbox handles before other tasks of the loop get their turn."""


class Address(str):
    """Where an actor receives: its kind, and its engine if it belongs to one: ``scheduler/smollm2-1``."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: str, engine: str = "") -> Address:
        return cls(f"{kind}/{engine}" if engine else kind)

    @property
    def kind(self) -> str:
        return self.partition("/")[0]

    @property
    def engine(self) -> str:
        return self.partition("/")[2]

    def file_name(self) -> str:
        """Returns the name of its socket in the run directory."""
        return self.replace("/", "@") + ".sock"


class Inbox(Generic[M]):
    """An actor's mailbox. It outlives the actor: a restarted one goes on with what has arrived meanwhile.

    The public socket is for other processes and threads; its descriptor wakes the loop. Once a loop consumes, actors of
    that loop hand their messages over through a pair of sockets of its own (``near``).

    ``raw``: the bytes of the message that is being handled, for whoever passes it on as it is.
    """

    def __init__(self, context: zmq.Context[Any], address: Address, path: Path, accepts: Any) -> None:
        self._context = context
        self._endpoint = f"inproc://{address}"
        self._path = path
        self._public: zmq.Socket[bytes] = context.socket(zmq.PULL)
        self._public.setsockopt(zmq.RCVHWM, 0)
        self._public.bind(self._endpoint)
        self._public.bind(f"ipc://{path}")
        self.near: LoopQueue | None = None
        self.raw = memoryview(b"")
        self._decode: Callable[[bytes | memoryview], M] = msgspec.msgpack.Decoder(accepts).decode

    async def consume(self, handle: Callable[[M], None]) -> None:
        """Calls ``handle`` with each message until cancelled; what it raises ends this call."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        public = self._public
        near = self.near = self.near or LoopQueue(self._context, f"{self._endpoint}#near")
        fd = int(public.getsockopt(zmq.FD))

        def take(socket: zmq.Socket[bytes]) -> None:
            self.raw = socket.recv(zmq.NOBLOCK, copy=False).buffer
            handle(self._decode(self.raw))

        def fail(error: Exception) -> None:
            # A handler may have cancelled its own actor before it raised.
            if not failed.done():
                failed.set_exception(error)

        def drain_public() -> None:
            try:
                for _ in range(BURST):
                    if failed.done():
                        return
                    take(public)
                    if not int(public.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                        meet()
                        return
                loop.call_soon(drain_public)
            except zmq.Again:
                meet()
            except Exception as error:
                fail(error)

        def meet() -> None:
            # Not before: actors of this loop, too, wrote to the public socket until now, and keep their order.
            if near.wake is None:
                near.wake = partial(loop.call_soon, drain_near)
                near.call()

        def drain_near() -> None:
            near.called = False
            try:
                for _ in range(min(near.count, BURST)):
                    if failed.done():
                        return
                    near.count -= 1
                    take(near.pull)
                near.call()
            except Exception as error:
                fail(error)

        loop.add_reader(fd, drain_public)
        # The descriptor only signals what arrives from now on; look once at what is there already.
        loop.call_soon(drain_public)
        try:
            await failed
        finally:
            failed.cancel()
            near.wake = None
            near.called = False
            loop.remove_reader(fd)

    def receive(self, timeout: float | None = None) -> M | None:
        """Returns the next message from another process or thread, waiting up to ``timeout`` seconds (None: for ever);
        None when there is none, or after ``Bus.wake_up``. For threads without a loop."""
        if timeout is not None and not self._public.poll(int(timeout * 1000)):
            return None
        raw = self._public.recv(copy=False).buffer
        return self._decode(raw) if raw.nbytes else None

    def close(self) -> None:
        self._public.close(linger=0)
        if self.near is not None:
            self.near.close()
            self.near = None
        self._path.unlink(missing_ok=True)


class Bus:
    """One process's access to every mailbox.

    ``local`` tells which addresses this process hosts. A bus belongs to one thread; ``thread_copy`` makes another.
    """

    def __init__(
        self, run_directory: Path, local: Callable[[Address], bool], context: zmq.Context[Any] | None = None
    ) -> None:
        self._context = context or zmq.Context()
        self._owns_context = context is None
        self._run = run_directory
        self._local = local
        self._outboxes: dict[Address, zmq.Socket[bytes]] = {}
        self._inboxes: dict[Address, Inbox[Any]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    def inbox(self, address: Address, accepts: Any) -> Inbox[Any]:
        """Binds the mailbox of ``address``; ``accepts`` is the union of its message types."""
        inbox = Inbox[Any](self._context, address, self._run / address.file_name(), accepts)
        self._inboxes[address] = inbox
        return inbox

    def tell(self, address: Address, message: Message) -> None:
        """Puts ``message`` into the mailbox of ``address``, which need not be bound yet."""
        raw = self._encoder.encode(message)
        inbox = self._inboxes.get(address)
        if inbox is not None and inbox.near is not None:
            inbox.near.put(raw)
            return
        outbox = self._outboxes.get(address) or self._connect(address)
        outbox.send(raw, zmq.NOBLOCK, copy=len(raw) < LARGE)

    def wake_up(self, address: Address) -> None:
        """Has ``Inbox.receive`` at ``address`` return without a message."""
        (self._outboxes.get(address) or self._connect(address)).send(b"", zmq.NOBLOCK)

    def thread_copy(self) -> Bus:
        """Returns a bus for another thread of this process; whoever makes it closes it."""
        return Bus(self._run, self._local, self._context)

    def forget(self, address: Address) -> None:
        """Drops the outbox of an address that is gone for good, with whatever was still queued in it."""
        self._inboxes.pop(address, None)
        if socket := self._outboxes.pop(address, None):
            socket.close(linger=0)

    def publisher(self) -> Publisher:
        return Publisher(self._context)

    def close(self, linger: float = 0.2) -> None:
        """Closes every outbox, giving queued messages ``linger`` seconds to leave."""
        for socket in self._outboxes.values():
            socket.close(linger=int(linger * 1000))
        self._outboxes.clear()
        if self._owns_context:
            self._context.term()

    def _connect(self, address: Address) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        if self._local(address):
            socket.connect(f"inproc://{address}")
        else:
            socket.connect(f"ipc://{self._run / address.file_name()}")
        self._outboxes[address] = socket
        return socket
