"""Tracks requests: how many are open, what became of each, and which models are in use."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from mlxr.actors.frontend.open_requests import OpenRequest, Outcome
from mlxr.actors.frontend.parameters import shown_caller, shown_parameters
from mlxr.api.caller import CALLER
from mlxr.api.metrics import Metrics
from mlxr.runtime.bus import Address
from mlxr.runtime.logs import REQUESTS
from mlxr.runtime.messages.common import Message, Usage
from mlxr.runtime.messages.registry import TouchModel
from mlxr.runtime.messages.tokenizer import Asked
from mlxr.runtime.telemetry import RequestEnded, RequestReceived, RequestSubmitted, Telemetry

REGISTRY = Address.of("registry")

log = logging.getLogger(REQUESTS)


class RequestTracker:
    """Counts into ``metrics``, reports to ``telemetry``, and tells the registry when a model is used."""

    def __init__(self, tell: Callable[[Address, Message], None], telemetry: Telemetry, metrics: Metrics) -> None:
        self._tell = tell
        self._telemetry = telemetry
        self._metrics = metrics
        self._active: Counter[tuple[str, str]] = Counter()
        self._commands = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def is_quiet(self) -> bool:
        """Whether nothing is open."""
        return self._quiet.is_set()

    async def quiet(self) -> None:
        """Returns once nothing is open."""
        await self._quiet.wait()

    def opened(self, entry: OpenRequest, command: Asked) -> None:
        self._metrics.open += 1
        self._quiet.clear()
        if self._telemetry.wants("requests"):
            caller = CALLER.get()
            event = RequestReceived(
                entry.request,
                entry.model,
                entry.surface,
                entry.name,
                caller.route,
                shown_caller(caller.name),
                shown_parameters(command),
            )
            self._telemetry.emit("requests", event)

    def submitted(self, entry: OpenRequest) -> None:
        self._telemetry.emit("requests", RequestSubmitted(entry.request, entry.engine))

    def ended(self, entry: OpenRequest) -> None:
        """Counts and reports the outcome; one that nobody decided is a cancellation."""
        outcome, usage, metrics = entry.outcome or Outcome.CANCELLED, entry.usage, self._metrics
        seconds = time.monotonic() - entry.opened
        metrics.open -= 1
        metrics.requests[entry.surface, outcome.value] += 1
        metrics.request_seconds.observe(seconds)
        metrics.count_usage(usage)
        self._look_quiet()
        # The answer goes out at the end of this turn of the loop, and nobody waits for what is told of it.
        asyncio.get_running_loop().call_soon(self._tell_ended, entry, outcome, seconds, time.time())

    def _tell_ended(self, entry: OpenRequest, outcome: Outcome, seconds: float, t: float) -> None:
        """``t``: when it ended, in seconds since the epoch."""
        usage = entry.usage
        first = entry.first_token - entry.opened if entry.first_token else 0.0
        log.info(
            "%s of %s %s after %.3f s%s",
            entry.surface or "request",
            entry.model,
            outcome.value,
            seconds,
            _figures(entry, first),
            extra={"request": entry.request, "request_id": entry.name},
        )
        if self._telemetry.wants("requests"):
            event = RequestEnded(
                entry.request,
                outcome.value,
                entry.model,
                entry.error.message if entry.error else "",
                usage.prompt_tokens,
                usage.completion_tokens or entry.written,
                usage.cached_tokens,
                round(seconds, 6),
                round(first, 6),
                entry.finish_reason,
                entry.error.code.value if entry.error else "",
                usage.drafted_tokens,
                usage.accepted_tokens,
                usage.restored_tokens,
            )
            self._telemetry.emit("requests", event, t)

    def command_opened(self) -> None:
        self._commands += 1
        self._quiet.clear()

    def command_ended(self) -> None:
        self._commands -= 1
        self._look_quiet()

    def use(self, engine: str, model: str, change: int, keep_alive: float | None) -> None:
        """Tells the registry that one request more or less (``change``) is in flight for ``model`` at ``engine``."""
        used = engine, model
        self._active[used] += change
        self._tell(REGISTRY, TouchModel(model, self._active[used], keep_alive, engine))
        if not self._active[used]:
            del self._active[used]

    def active(self, engine: str) -> dict[str, int]:
        """Returns how many requests are in flight at ``engine``, by model."""
        return {model: count for (used, model), count in self._active.items() if used == engine}

    def _look_quiet(self) -> None:
        if not self._metrics.open and not self._commands:
            self._quiet.set()


def _figures(entry: OpenRequest, first: float) -> str:
    """Returns what a line of the log says of a request besides its outcome. What the client has written is not in it,
    which an error's message may quote."""
    usage = entry.usage
    parts = [
        f"prompt {usage.prompt_tokens} ({_cached(usage)})" if usage.prompt_tokens else "",
        f"answer {usage.completion_tokens}" if usage.completion_tokens else "",
        f"drafted {usage.drafted_tokens} ({usage.accepted_tokens} accepted)" if usage.drafted_tokens else "",
        f"first token {first:.3f} s" if first else "",
        f"error {entry.error.code.value}" if entry.error else "",
        usage.miss,
    ]
    return "".join(f", {part}" for part in parts if part)


def _cached(usage: Usage) -> str:
    restored = f", {usage.restored_tokens} of them from disk" if usage.restored_tokens else ""
    return f"{usage.cached_tokens} cached{restored}"
