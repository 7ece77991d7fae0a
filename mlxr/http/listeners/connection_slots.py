"""How many connections there may be at once, and which of them makes room for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

RESERVED = 160
"""Descriptors left to the runtime, or three of four where there are few: sockets of the bus, pipes of processes, files
of models and databases, and what loading more models takes, 21 each."""

FEWEST = 16


def most_connections(descriptors: int) -> int:
    """Returns how many connections a process with so many descriptors may have."""
    reserved = min(max(RESERVED, descriptors // 8), descriptors * 3 // 4)
    return max(FEWEST, descriptors - reserved)


class SlotHolder(Protocol):
    """An open connection.

    idle: nobody works on a request of it.
    """

    @property
    def idle(self) -> bool: ...

    def evict(self) -> None: ...


class ConnectionSlots:
    """Counts connections, those in their TLS handshake too. Where all slots are taken, ``take`` closes the connection
    that is idle for longest, and whoever asked is called once a slot is free."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._holders: dict[SlotHolder, None] = {}
        self._waiting: dict[Callable[[], None], None] = {}

    def take(self, again: Callable[[], None]) -> bool:
        """Takes a slot; where there is none, has ``again`` called when there may be one."""
        if self._taken < self.most:
            self._taken += 1
            return True
        self._waiting[again] = None
        self.make_room()
        return False

    def make_room(self) -> None:
        """Closes the connection that has been idle for longest, if one is."""
        for holder in self._holders:
            if holder.idle:
                del self._holders[holder]
                holder.evict()
                return

    def entered(self, holder: SlotHolder) -> None:
        self._holders[holder] = None

    def rested(self, holder: SlotHolder) -> None:
        """``holder`` has had an answer: of all that are idle it is the last to go."""
        if self._holders.pop(holder, 0) is None:
            self._holders[holder] = None

    def left(self, holder: SlotHolder) -> None:
        self._holders.pop(holder, None)
        self.release()

    def release(self) -> None:
        """Gives a slot back."""
        self._taken -= 1
        waiting, self._waiting = self._waiting, {}
        for again in waiting:
            again()
