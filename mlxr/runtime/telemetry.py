"""Telemetry: what happens inside, as JSON events on a PUB socket, for whoever subscribes.

A message has two frames: the topic (``requests``, ``steps``, ``kv``, ``actors``, ``logs``, ``state``, ``metrics``)
and one JSON object with the event's fields, plus ``v`` (schema version), ``t`` (seconds since the epoch) and
``event`` (its name).
``docs/telemetry.md`` documents each event. Nobody subscribed: an event costs one poll of the socket, and
nothing is encoded.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import msgspec
from msgspec import Struct

SCHEMA_VERSION = 1


class Event(Struct, frozen=True, tag_field="event", tag=True, omit_defaults=True):
    """Base of all events; the class name is the ``event`` field."""


class RequestReceived(Event, frozen=True):
    """Topic ``requests``: the frontend took a request in.

    name: what its client knows it by (``X-Request-Id``).
    route: what was asked, as its transport calls it.
    caller: who asks: an address, or the beginning of a key's digest.
    parameters: how it is to be answered, without anything that the client wrote.
    """

    request: int
    model: str
    surface: str = ""
    name: str = ""
    route: str = ""
    caller: str = ""
    parameters: dict[str, Any] = {}


class RequestSubmitted(Event, frozen=True):
    """Topic ``requests``: its model is loaded, and its engine has been told."""

    request: int
    engine: str


class RequestQueued(Event, frozen=True):
    """Topic ``requests``: its prompt is encoded, and waits for its turn."""

    request: int
    prompt_tokens: int = 0


class PrefillStarted(Event, frozen=True):
    """Topic ``requests``: its turn has come; the first ``cached_tokens`` of its prompt need no computing, and of these
    ``restored_tokens`` were read from the disk. ``miss``: why it is no more, where it might have been."""

    request: int
    cached_tokens: int = 0
    miss: str = ""
    restored_tokens: int = 0


class FirstToken(Event, frozen=True):
    """Topic ``requests``: its answer begins."""

    request: int


class RequestRecomputed(Event, frozen=True):
    """Topic ``requests``: its executor died while it ran; another one computes it again, and its stream goes on."""

    request: int
    engine: str


class RequestEnded(Event, frozen=True):
    """Topic ``requests``: its one outcome: ``finished``, ``failed`` or ``cancelled``."""

    request: int
    outcome: str
    model: str = ""
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    ttft_seconds: float = 0.0
    finish: str = ""
    code: str = ""
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    restored_tokens: int = 0


class StepRan(Event, frozen=True):
    """Topic ``steps``: one forward pass."""

    engine: str
    step: int
    decode_rows: int
    prefill_tokens: int
    device_ms: float
    wait_ms: float
    waiting: int


class PagesChanged(Event, frozen=True):
    """Topic ``kv``: pages held by sequences, kept for reuse, and in all."""

    engine: str
    used: int
    cached: int
    total: int


class TurnStored(Event, frozen=True):
    """Topics ``kv`` and ``requests``: pages that a request left behind, or used again, were written to the disk. A
    long one's are in several files, with an event for each."""

    engine: str
    request: int
    bytes: int


class Preempted(Event, frozen=True):
    """Topic ``kv``: a sequence gave its pages back and will be computed again."""

    engine: str
    request: int
    tokens: int


class ActorStarted(Event, frozen=True):
    """Topic ``actors``."""

    actor: str
    epoch: int
    pid: int


class ActorEnded(Event, frozen=True):
    """Topic ``actors``: ``restarting`` False means for good."""

    actor: str
    epoch: int
    reason: str
    restarting: bool


class LogLine(Event, frozen=True):
    """Topic ``logs``, at the time ``t`` of the record. Keys and tokens are not in it.

    request_id: what the client knows the request by that it is about.
    traceback: of an exception.
    """

    level: str
    logger: str
    message: str
    request_id: str = ""
    traceback: str = ""


class ActorState(Event, frozen=True):
    """Topic ``state``: an actor that there is; without a pid it is between two lives."""

    actor: str
    epoch: int
    pid: int = 0


class EngineState(Event, frozen=True):
    """Topics ``state`` and ``metrics``: an engine that there is; counts are since it started.

    prefill_tokens, decode_rows: what its steps computed, prompts' tokens and rows of a token each.
    counted_seconds: how old the counts are.
    disk_bytes: of pages on disk, other engines' and servers' too, of which there may be disk_quota.
    disk_writable: pages can be stored there.
    disk_written_bytes, disk_read_bytes: what went there, and what came back.
    disk_read_rate: bytes a second that it reads.
    disk_hits, restored_tokens: prompts of which a part came from there, and how many tokens.
    disk_evicted, disk_failed, disk_damaged: files that went for others, writes that failed, reads that did.
    drafter, undrafted: what drafts beside the model, and why what was to draft does not.
    """

    engine: str
    model: str
    state: str = ""
    context: int = 0
    memory_bytes: int = 0
    running: int = 0
    waiting: int = 0
    pages_used: int = 0
    pages_cached: int = 0
    pages_total: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    preemptions: int = 0
    device_seconds: float = 0.0
    wait_seconds: float = 0.0
    steps: int = 0
    prefill_tokens: int = 0
    decode_rows: int = 0
    executor_restarts: int = 0
    counted_seconds: float = 0.0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    disk_bytes: int = 0
    disk_quota: int = 0
    disk_writable: bool = False
    disk_written_bytes: int = 0
    disk_read_bytes: int = 0
    disk_read_rate: float = 0.0
    disk_hits: int = 0
    restored_tokens: int = 0
    disk_evicted: int = 0
    disk_failed: int = 0
    disk_damaged: int = 0
    drafter: str = ""
    undrafted: str = ""


class RequestState(Event, frozen=True):
    """Topic ``state``: a request that is open: ``loading`` its model, ``waiting`` for its first token, ``writing``."""

    request: int
    model: str
    surface: str = ""
    state: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    ttft_seconds: float = 0.0


class StateShown(Event, frozen=True):
    """Topic ``state``: ends what one actor tells of the state of a moment."""

    actor: str


Buckets = list[tuple[float, int]]
"""A histogram's counts that are not 0, each with the upper bound of what it counts in seconds."""


class MetricsSampled(Event, frozen=True):
    """Topic ``metrics``, once a second behind an ``EngineState`` of each engine: what the server has counted since its
    start.

    started: when that was, in seconds of Unix time.
    open: requests in flight.
    generated_tokens: written to clients, as they come.
    ttft: from requests to their first tokens.
    inter_token: between tokens of one request.
    loop_lag_seconds: by how much the event loop was late at most, since the sample before.
    """

    started: float = 0.0
    open: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    ttft: Buckets = []
    inter_token: Buckets = []
    loop_lag_seconds: float = 0.0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


METRICS = "metrics"
STATE = "state"
STATE_SECONDS = 1.0
"""How often the state is told while somebody reads it, so that who comes late knows it too."""

TOPICS: dict[str, tuple[type[Event], ...]] = {
    "requests": (
        RequestReceived,
        RequestSubmitted,
        RequestQueued,
        PrefillStarted,
        FirstToken,
        RequestRecomputed,
        RequestEnded,
        TurnStored,
    ),
    "steps": (StepRan,),
    "kv": (PagesChanged, TurnStored, Preempted),
    "actors": (ActorStarted, ActorEnded),
    "logs": (LogLine,),
    STATE: (ActorState, EngineState, RequestState, StateShown),
    METRICS: (EngineState, MetricsSampled),
}


class Sink(Protocol):
    """Where encoded events go."""

    def wants(self, topic: str) -> bool: ...

    def publish(self, topic: str, body: bytes) -> None: ...


class Telemetry:
    """What actors emit through. Without a sink it does nothing."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._encoder = msgspec.json.Encoder()

    def wants(self, topic: str) -> bool:
        """Tells whether it is worth building an event of ``topic``."""
        return self._sink is not None and self._sink.wants(topic)

    def relay(self, topic: str, body: bytes) -> None:
        """Passes on an event that was built elsewhere."""
        if self._sink is not None and self._sink.wants(topic):
            self._sink.publish(topic, body)

    def emit(self, topic: str, event: Event, t: float | None = None) -> None:
        """Tells whoever reads ``topic``. ``t``: when it happened, in seconds since the epoch; None for now."""
        if self._sink is None or not self._sink.wants(topic):
            return
        at = time.time() if t is None else t
        # Before the event's own fields, of which its name is one.
        body = self._encoder.encode(event)
        self._sink.publish(topic, b'{"v":%d,"t":%.6f,' % (SCHEMA_VERSION, at) + body[1:])
