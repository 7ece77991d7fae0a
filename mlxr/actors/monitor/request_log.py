"""Requests as telemetry tells of them: those that are open, and the latest that have ended. Pure and bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from msgspec.structs import replace

from mlxr.api.monitor import RequestInfo

MOST_ENDED: Final = 500
MOST_OPEN: Final = 10_000
"""Requests that are remembered; more can't be open (``server.max_connections``, ``scheduler.max_waiting``)."""

SETTLED_SECONDS: Final = 2.0
"""A request that came so long ago, and that the server does not name among those that are open, has ended unheard."""

_TOKENS: Final = (
    "prompt_tokens",
    "cached_tokens",
    "restored_tokens",
    "completion_tokens",
    "drafted_tokens",
    "accepted_tokens",
)


class RequestLog:
    """Numbers each change: ``version`` of the latest, so that a reader can be told what has changed since one."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._first = version
        self._open: OrderedDict[int, RequestInfo] = OrderedDict()
        self._ended: OrderedDict[int, RequestInfo] = OrderedDict()
        self._changed: dict[int, int] = {}
        self._named: set[int] = set()

    @property
    def open(self) -> int:
        return len(self._open)

    def take(self, event: dict[str, Any]) -> None:
        """Takes in an event of the topics ``requests``, ``kv`` and ``state``."""
        number, t = event.get("request", 0), event["t"]
        match event["event"]:
            case "RequestReceived":
                self._received(event)
            case "RequestSubmitted":
                self._change(number, state="preparing", engine=event.get("engine", ""), submitted=t)
            case "RequestQueued":
                self._change(number, state="queued", queued=t, prompt_tokens=event.get("prompt_tokens", 0))
            case "PrefillStarted":
                self._change(
                    number,
                    state="prefill",
                    prefill=t,
                    cached_tokens=event.get("cached_tokens", 0),
                    restored_tokens=event.get("restored_tokens", 0),
                    miss=event.get("miss", ""),
                )
            case "FirstToken":
                self._change(number, state="decode", first_token=t)
            case "RequestRecomputed":
                if found := self._open.get(number):
                    self._change(number, restarts=found.restarts + 1)
            case "RequestState":
                self._named.add(number)
                self._change(number, completion_tokens=event.get("completion_tokens", 0))
            case "StateShown" if event["actor"] == "frontend":
                self._forget_unnamed(t)
            case "TurnStored":
                self._stored(number, event.get("bytes", 0))
            case "RequestEnded":
                self._end(number, event)

    def rows(self, ended: int = MOST_ENDED) -> list[RequestInfo]:
        """Returns the latest ``ended`` that have ended and all that are open, in the order that they came in."""
        latest = list(self._ended.values())[len(self._ended) - min(ended, len(self._ended)) :]
        return sorted([*latest, *self._open.values()], key=lambda row: (row.received, row.id))

    def since(self, version: int) -> list[RequestInfo] | None:
        """Returns what has changed since ``version``; None where that is of another life of the server."""
        if not self._first <= version <= self.version:
            return None
        return [row for row in self.rows() if self._changed[row.id] > version]

    def _received(self, event: dict[str, Any]) -> None:
        number = event["request"]
        named = ("name", "route", "surface", "caller")
        row = RequestInfo(
            number,
            event["model"],
            "loading",
            event["t"],
            **{key: event.get(key, "") for key in named},
            parameters=event.get("parameters", {}),
        )
        self._open[number] = row
        self._note(number)
        if len(self._open) > MOST_OPEN:
            self._changed.pop(self._open.popitem(last=False)[0])

    def _change(self, number: int, **fields: Any) -> None:
        if (row := self._open.get(number)) is None:
            return
        changed = replace(row, **fields)
        if changed != row:
            self._open[number] = changed
            self._note(number)

    def _stored(self, number: int, nbytes: int) -> None:
        """Its pages are written while others run, mostly when it has ended."""
        rows = self._open if number in self._open else self._ended
        if (row := rows.get(number)) is not None:
            rows[number] = replace(row, stored_bytes=row.stored_bytes + nbytes)
            self._note(number)

    def _end(self, number: int, event: dict[str, Any]) -> None:
        if (row := self._open.pop(number, None)) is None:
            return
        told = {key: event.get(key, 0) or getattr(row, key) for key in _TOKENS}
        texts = {key: event.get(key, "") for key in ("finish", "error", "code")}
        self._keep(replace(row, state=event["outcome"], ended=event["t"], **told, **texts))

    def _keep(self, row: RequestInfo) -> None:
        self._ended[row.id] = row
        self._note(row.id)
        if len(self._ended) > MOST_ENDED:
            self._changed.pop(self._ended.popitem(last=False)[0])

    def _forget_unnamed(self, t: float) -> None:
        """Ends the requests whose end was missed."""
        named, self._named = self._named, set()
        for row in list(self._open.values()):
            if row.id not in named and row.received < t - SETTLED_SECONDS:
                del self._open[row.id]
                self._keep(replace(row, state="failed", ended=t, error="the server was restarted meanwhile"))

    def _note(self, number: int) -> None:
        self.version += 1
        self._changed[number] = self.version
