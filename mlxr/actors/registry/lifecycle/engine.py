"""What the registry knows of one engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import DrafterFailed, EngineMemory, EngineUp, LoadProgress, TokenizerUp

Explain = Callable[[int], str]
"""What is needed, of so many bytes that there are, and the way out: words for behind "it "."""

EngineEvent = EngineUp | TokenizerUp | EngineMemory | DrafterFailed | LoadProgress
"""What an engine's actors say of it while it loads and runs."""

OVERHEAD_BYTES = 96 << 20
"""What an engine's processes take beside weights and pages: interpreters, libraries, the tokenizer."""


@dataclass(slots=True)
class Engine:
    """One model's group of actors, as far as the registry knows.

    name: of the group, part of its actors' addresses.
    spec: what it is made of.
    keep_alive: seconds that it stays unused; infinity for ever.
    used: when the last request began or ended, or when the engine was ready for the first.
    needs: bytes that its weights and the least of its pages take, by estimate.
    optional: bytes of these that it can go without.
    pinned: whether it neither expires nor makes room for others.
    active: requests in flight by the name they asked for; its keys are the names it serves.
    started: whether the supervisor was told to start it.
    room: bytes that it was told it may take; 0 for no limit.
    memory: bytes that weights, pages and adapters may take, by its executor; 0 before that has loaded.
    pages: of these, what pages may take.
    asked: what pages were last said to take, at most; None where nothing was. What they take beyond it sequences hold.
    pending: whether its executor has yet to answer that.
    up: what its executor said when it had loaded; None before that, and while it is restarted.
    tokenizer: whether its tokenizer is there.
    tokenizer_process: the process beside the main one that holds its tokenizer, 0 for none.
    was_ready: whether it was once, so that it restarts now and does not load.
    loaded: whether ``settle`` has seen it ready.
    touched: whether a request has come since it was last asked for.
    crashes: how often its executor has ended before the engine was ready.
    detached_at: when its last name was taken from it; it ends with its last request.
    ending: whether it takes no new requests, and stops with the last of those it has.
    endings: how often that has begun.
    released: whether the frontend has said that it sends no more requests.
    for_room: whether it ends for another engine that has no room, and goes on if that is no longer wanted.
    stage, progress: how far loading is, 0 to 1 of the stage; once loaded, how far what goes on behind requests is.
    explain: says of so many bytes that there are why they are too few, and the way out; None where nobody knows.
    """

    name: str
    spec: EngineSpec
    keep_alive: float
    used: float
    needs: int = 0
    pinned: bool = False
    active: dict[str, int] = field(default_factory=dict)
    started: bool = False
    room: int = 0
    memory: int = 0
    pages: int = 0
    asked: int | None = None
    pending: bool = False
    up: EngineUp | None = None
    tokenizer: bool = False
    tokenizer_process: int = 0
    was_ready: bool = False
    loaded: bool = False
    touched: bool = False
    crashes: int = 0
    detached_at: float | None = None
    ending: bool = False
    endings: int = 0
    released: bool = False
    for_room: bool = False
    stage: str = ""
    progress: float = 0.0
    explain: Explain | None = None
    optional: int = 0

    @property
    def ready(self) -> bool:
        return self.up is not None and self.tokenizer

    @property
    def loading(self) -> bool:
        return self.started and not self.was_ready

    @property
    def warming(self) -> bool:
        """Whether it takes requests and still compiles kernels for them."""
        return self.ready and self.stage != "" and self.progress < 1.0

    @property
    def idle(self) -> bool:
        return not any(self.active.values())

    @property
    def fixed(self) -> bool:
        """Whether it makes room for no other."""
        return self.pinned and self.detached_at is None

    @property
    def takes(self) -> int:
        """Bytes that count as its own."""
        return (self.memory or self.needs) + OVERHEAD_BYTES

    @property
    def spare(self) -> int:
        """Bytes that pages can give back: all that no sequence holds, but those for the least context."""
        if not self.ready or self.up is None:
            return 0
        if self.asked is not None and self.pages > self.asked and not self.pending:
            return 0
        return max(0, self.pages - self.up.least_pages_bytes)

    @property
    def lacks(self) -> int:
        """Bytes that pages might take again, of those that they had at first."""
        return max(0, self.up.pages_bytes - self.pages) if self.ready and self.up is not None else 0

    @property
    def state(self) -> str:
        if self.ending:
            return "stopping"
        if self.ready:
            return "ready"
        return "restarting" if self.was_ready else "loading"

    def end(self) -> None:
        """Has the frontend send no more requests; it says when it has heard."""
        if not self.ending:
            self.ending, self.released, self.for_room = True, False, False
            self.endings += 1

    def go_on(self) -> None:
        """Takes requests again."""
        self.ending = self.released = self.for_room = False

    def note(self, event: EngineEvent) -> None:
        """Takes over what its actors say."""
        match event:
            case EngineUp():
                self.up, self.memory, self.pages = event, event.memory_bytes, event.pages_bytes
                self.asked, self.pending = None, False
                self.stage, self.progress = "", 1.0
            case TokenizerUp():
                self.tokenizer, self.tokenizer_process = True, event.process
            case EngineMemory():
                self.memory, self.pages, self.pending = event.memory_bytes, event.pages_bytes, False
                if self.up is not None:
                    self.up = replace(self.up, device_bytes=event.device_bytes)
            case DrafterFailed():
                if self.up is not None:
                    self.up = replace(self.up, drafter="", undrafted=event.reason)
            case LoadProgress():
                self.stage, self.progress = event.stage, event.fraction
        self.was_ready |= self.ready

    def lost(self, actor: str) -> None:
        """One of its actors has died."""
        if actor == "executor":
            self.up = None
            self.crashes += not self.was_ready
        elif actor == "tokenizer":
            self.tokenizer = False
