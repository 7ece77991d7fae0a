"""When to try again: what went wrong, how often, and how long to wait."""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio

from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.runtime.errors import PullError

_NOTICED_SECONDS = 2.0


class Interrupted(Exception):  # noqa: N818  (reads as what happened)
    """A try that failed and may do better the next time; does not leave this package.

    reason: for the user, should it be the last.
    after: seconds that the server asks to wait, None where it does not say.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Retries:
    """Counts tries of one thing that got nowhere, and waits between them.

    what: it is, for the error that ends them.
    sends: whether it is sent, not fetched.
    attempts: where they are not those of ``limits``.
    waits: hears why and how long, of waits that a user notices.
    """

    def __init__(
        self,
        limits: TransferLimits,
        what: str,
        attempts: int | None = None,
        waits: Callable[[str], None] | None = None,
        *,
        sends: bool = False,
    ) -> None:
        self._sends = sends
        self._limits = limits
        self._what = what
        self._attempts = attempts or limits.attempts
        self._waits = waits
        self._failed = 0
        self._brought = 0

    def progressed(self, count: int) -> None:
        """A try brought ``count`` bytes."""
        self._brought += count
        if self._brought >= self._limits.progress_bytes:
            self._failed = self._brought = 0

    async def again(self, failure: Interrupted) -> None:
        """Returns when it is time for the next try; raises ``PullError`` where there have been enough."""
        self._failed += 1
        self._brought = 0
        wait = wait_before(self._failed, failure.after, self._limits)
        if wait is None or self._failed >= self._attempts:
            does, again = ("send", "push") if self._sends else ("fetch", "pull")
            later = f" in {failure.after:.0f} s" if wait is None else ""
            way_out = f"{again} again{later}, which goes on from what is there"
            raise PullError(f"can't {does} {self._what}: {failure.reason}; {way_out}") from failure
        if self._waits is not None and wait >= _NOTICED_SECONDS:
            self._waits(f"{failure.reason}; trying again in {wait:.0f} s")
        await anyio.sleep(wait)


def wait_before(attempt: int, after: float | None, limits: TransferLimits) -> float | None:
    """Returns the seconds to wait after ``attempt`` failures; None where the server asks for more than is worth
    waiting."""
    if after is not None:
        return after if after <= limits.longest_retry_after else None
    wait: float = min(limits.first_wait * 2 ** (attempt - 1), limits.longest_wait)
    # Connections that broke together must not all come back together.
    return wait * random.uniform(0.75, 1.25)
