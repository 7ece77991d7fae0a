"""The executor's inbox: steps with physical pages filled in."""

from __future__ import annotations

from mlxr.runtime.messages.common import Adapter, Constraint, Message, Value
from mlxr.runtime.messages.kv import PlanRow, StoredPage, TableEntries


class ForkRow(Value, frozen=True):
    """``child``, registered by an earlier row, starts from these block tables, whose pages it shares."""

    child: int
    tables: list[TableEntries]


class PageCopy(Value, frozen=True):
    """A page of the cache group ``group`` gets another's content. Of a ``state`` group this is how a sequence goes on
    from a snapshot, and how a snapshot stays behind when its sequence goes on."""

    group: int
    source: int
    target: int


class GroupSize(Value, frozen=True):
    """How large a cache group's part of the pool is to be. ``pages``: those that have memory, the first ones.
    ``limit``: those that may."""

    pages: int
    limit: int


class Step(Message, frozen=True):
    """Command: drop what ``forget`` names (everything, if ``reset``), make the forks, copy pages, one after another,
    then run the rows as one forward pass and answer with ``StepDone``.

    ``sizes``: how large the groups are to be, where that changes: a group that grows does so before pages are copied,
    one that shrinks behind that.
    ``awaited``: of what runs, nothing can go on before this step's answer, so that no other one is on its way.

    A step of another ``epoch`` was meant for an executor that has died, and is dropped: the scheduler plans anew.
    """

    epoch: int
    step: int
    rows: list[PlanRow]
    forks: list[ForkRow] = []
    copies: list[PageCopy] = []
    forget: list[int] = []
    reset: bool = False
    sizes: list[GroupSize] = []
    awaited: bool = False


class Describe(Message, frozen=True):
    """Command: answer with ``ExecutorReady`` if a model is loaded; a restarted scheduler asks."""


class CompileConstraint(Message, frozen=True):
    """Command: answer with ``ConstraintCompiled`` once sequences of ``request`` can be held to ``constraint`` without a
    delay."""

    epoch: int
    request: int
    constraint: Constraint


class LoadAdapter(Message, frozen=True):
    """Command: read an adapter while steps go on running, and answer with ``AdapterLoaded``."""

    epoch: int
    adapter: Adapter


class UnloadAdapter(Message, frozen=True):
    """Command: forget an adapter that no sequence uses any more."""

    epoch: int
    digest: str


class StartTransfers(Message, frozen=True):
    """Command: the KV manager starts over. Forget every ``StorePages`` and ``RestorePages`` before; those after are
    about the pool that there is now. ``describe``: answer with ``DiskOpened`` and ``SegmentsFound``."""

    epoch: int
    describe: bool = False


class StorePages(Message, frozen=True):
    """Command: copy pages of a cache group once all steps so far have run, and answer with ``PagesTaken``; write them
    to a segment of this ``name``, and answer with ``PagesStored``. ``used``: segments that were of use, the latest
    last."""

    epoch: int
    batch: int
    name: str
    group: int
    pages: list[int]
    stored: list[StoredPage]
    used: list[str] = []


class RestorePages(Message, frozen=True):
    """Command: read the pages of a segment from its ``first`` on, whose addresses must be these, into pages that no
    step uses before ``PagesRestored`` answers."""

    epoch: int
    batch: int
    name: str
    group: int
    first: int
    pages: list[int]
    addresses: list[bytes]


class CancelRestore(Message, frozen=True):
    """Command: somebody else needs the pages of a batch; answer with ``PagesRestored``, unless that was done."""

    epoch: int
    batch: int


ExecutorInbox = (
    Step
    | Describe
    | CompileConstraint
    | LoadAdapter
    | UnloadAdapter
    | StartTransfers
    | StorePages
    | RestorePages
    | CancelRestore
)
