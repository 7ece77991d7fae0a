"""Long work on models that belongs to the server: whoever started it may leave, and anybody may follow it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

JobKind = Literal["pull", "import", "convert", "create", "push"]

JobState = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
"""``waiting``: others go first. ``interrupted``: the server ended while it ran."""

JobAction = Literal["cancel", "retry"]

GOING_ON: frozenset[JobState] = frozenset({"waiting", "running"})


class Job(Struct, frozen=True):
    """One piece of work, as it stands.

    id: by which it is asked for.
    model: what is pulled, imported or pushed, or the name of what is made.
    source: what a model is made of, or where it is pushed to; '' where ``model`` says it all.
    detail: what it becomes, ``Q4_K_M`` say; '' where nothing is to be said.
    status: what is being done, in Ollama's words.
    total, completed: bytes of that part, 0 where they are not known.
    rate: bytes a second of late, 0 where that is not known.
    seconds_left: of that part, None where they are not known.
    created, started, ended: seconds since the epoch; None for what has not come.
    error: why it failed, a sentence; '' where it did not.
    code: what kind of error that is, for programs.
    result: the name of the model that is here now; '' where none is.
    notes: what should be known of the outcome, a sentence each.
    resumes: whether a retry goes on from what is there.
    attempts: how often it was begun.
    """

    id: str
    kind: JobKind
    model: str
    state: JobState
    source: str = ""
    detail: str = ""
    status: str = ""
    total: int = 0
    completed: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    error: str = ""
    code: str = ""
    result: str = ""
    notes: list[str] = []
    resumes: bool = False
    attempts: int = 1

    @property
    def going_on(self) -> bool:
        return self.state in GOING_ON


class JobChanges(Struct, frozen=True):
    """``whole``: ``jobs`` are all there are; else those that have changed, and the ids of those ``gone``."""

    jobs: list[Job]
    gone: list[str] = []
    whole: bool = False
