"""The KV manager's inbox: sequences to place and steps to fill in with pages."""

from __future__ import annotations

import math
from enum import StrEnum

from mlxr.runtime.messages.common import Adapter, Constraint, Message, Sampling, Value
from mlxr.runtime.messages.token_ids import TokenIds


class CacheKind(StrEnum):
    """What a group of layers keeps of a sequence in its pages.

    ``FULL``: keys and values of every token.
    ``WINDOW``: keys and values of the tokens that a sliding window still sees.
    ``LATENT``: one compressed vector of every token (multi-head latent attention).
    ``STATE``: a state of fixed size that stands for all tokens so far (recurrent mixers); a page is one such state.
    """

    FULL = "full"
    WINDOW = "window"
    LATENT = "latent"
    STATE = "state"


RUN_AHEAD = 8
"""Tokens that may be computed of a sequence before it shows that it has ended: steps in flight, and a few more."""


class GroupPages(Value, frozen=True):
    """One cache group's part of the pool.

    ``page_size``: tokens that a page holds; of the kind ``state``, how far apart in a prompt those states are that are
    kept for reuse.
    ``pages``: the most that there can be.
    ``window``: how many tokens a query sees, itself among them; None where it sees all.
    ``page_bytes``: what a page takes in all the group's layers.
    ``extent``: so many pages have memory at the start, and more get it when they are wanted; 0 where pages take memory
        when they are written to, so that all may be there from the start.
    """

    kind: CacheKind
    pages: int
    page_size: int
    window: int | None = None
    page_bytes: int = 0
    extent: int = 0

    def promised(self, tokens: int) -> int:
        """Returns how many pages an admitted prompt of ``tokens`` tokens is promised. They hold the prompt and one more
        token, or as much of both as a window keeps."""
        if self.kind is CacheKind.STATE:
            return 1
        pages = -(-(tokens + 1) // self.page_size)
        return pages if self.window is None else min(pages, self.most_kept)

    def least_kept(self, filled: int) -> int:
        """Returns the position from which a sequence with ``filled`` tokens must keep its pages: it may have ended up
        to ``RUN_AHEAD`` tokens earlier, and resumes from the last page that was full by then."""
        return max(0, filled - RUN_AHEAD) // self.page_size * self.page_size

    @property
    def most_kept(self) -> int:
        """Pages that a sequence holds at most between steps, where there is a window."""
        assert self.window is not None
        return -(-(self.window - 1) // self.page_size) + 1 + -(-RUN_AHEAD // self.page_size)


def capacity(groups: list[GroupPages]) -> int | None:
    """Returns tokens that one sequence can have in the pool; None for any number."""
    bound = [group.pages * group.page_size for group in groups if group.kind in (CacheKind.FULL, CacheKind.LATENT)]
    return min(bound, default=None)


def snapshot_grid(groups: list[GroupPages]) -> int | None:
    """Returns how far apart in a prompt the positions are at which rows end, so that states there can be kept; None
    where there are no states."""
    return math.gcd(*(group.page_size for group in groups if group.kind is CacheKind.STATE)) or None


class RowSetup(Value, frozen=True):
    """What the executor must know of a sequence before its first row of an epoch.

    ``tokens``: prompt and output so far (penalties and constraints look back on them), of which the first
    ``prompt_length`` are the prompt.
    ``adapters``: what is added to the model, all of them loaded.
    ``segment_start``: as in ``Submit``.
    ``foretell``: what its constraint leaves no choice about is told with its tokens.
    ``section_end``: as in ``SectionEnded``; None where there was none.
    """

    sampling: Sampling
    tokens: TokenIds
    prompt_length: int
    constraint: Constraint | None = None
    normalize: bool = True
    adapters: list[Adapter] = []
    segment_start: int | None = None
    foretell: bool = False
    section_end: int | None = None


class WantedPromptLogprobs(Value, frozen=True):
    """``tokens``: the prompt tokens that follow the positions of a row, one after another from the row's first on.
    ``top``: how many alternatives to report for each."""

    tokens: TokenIds
    top: int


class TableEntries(Value, frozen=True):
    """``pages[i]`` becomes entry ``first + i`` of a block table, and the last of them its end. Entries before ``first``
    stay, or will never be read."""

    first: int
    pages: list[int]


class PlanRow(Value, frozen=True):
    """One sequence's part of a step: tokens at positions ``start`` to ``start + length``.

    ``tokens`` holds them, or is None when the one input token is what the step before sampled for this sequence
    and is still on the device.
    ``sample``: sequences that take their next token from the row's last position (itself, or all choices that share
    the prompt).
    ``setup``: the executor does not know the sequence yet.
    ``prompt_logprobs``: report log-probabilities of prompt tokens.
    ``pool``: the input of an embedding ends with this row.
    ``register``: choices that share the prompt and sample here for the first time.
    ``embeds``: the row's hidden states belong to an embedding.
    ``draft``: how many of the tokens, its last, are a draft: of these and of the token before them each has the next
    one sampled behind it. Where pages are short, the row goes on without them.
    ``wanted``: how many of these, the last, are not in ``tokens``: the executor makes them itself, or fewer. ``least``:
    none that is less likely to be right.
    ``tables``: what changes in its sequence's block tables, one for each cache group; empty where nothing does. The KV
    manager fills this in.
    """

    sequence: int
    start: int
    length: int
    tokens: TokenIds | None = None
    sample: list[int] = []
    setup: RowSetup | None = None
    prompt_logprobs: WantedPromptLogprobs | None = None
    pool: bool = False
    register: list[tuple[int, RowSetup]] = []
    embeds: bool = False
    draft: int = 0
    wanted: int = 0
    least: float = 0.0
    tables: list[TableEntries] = []


class Fork(Value, frozen=True):
    """``child`` shares ``parent``'s first ``length`` tokens (copy on write)."""

    parent: int
    child: int
    length: int


class Release(Value, frozen=True):
    """The sequence is over, or gives its pages back. ``tokens``: all its tokens whose keys and values are in place,
    so that full pages can be kept for reuse; empty keeps none. ``turn_ended``: a next turn may go on from there, so
    pages go to the disk, too."""

    sequence: int
    tokens: TokenIds = TokenIds()
    turn_ended: bool = False


class Admit(Message, frozen=True):
    """Command: look up ``tokens`` in the prefix cache (unless ``reuse`` is off) and hold what is found, promise pages
    for the rest, and answer with ``Admitted``. The last token is never served from the cache: its logits are needed.
    ``ticket``: each admission has its own, a later one a greater. ``adapters``: their ``adapters_address``, which
    addresses of pages depend on."""

    sequence: int
    tokens: TokenIds
    ticket: int
    reuse: bool = True
    adapters: str = ""


class Plan(Message, frozen=True):
    """Command: give every row its pages and pass the step on. ``forks`` and ``releases`` come before the rows, in
    that order. ``awaited``: as in ``Step``."""

    epoch: int
    step: int
    rows: list[PlanRow]
    releases: list[Release] = []
    forks: list[Fork] = []
    awaited: bool = False


class Reset(Message, frozen=True):
    """Command: a new pool; every sequence and every cached page is gone.

    ``groups``: the pool's parts.
    ``contents``: as in ``ExecutorReady``.
    ``longest_row``: how many tokens of one sequence a step may hold.
    ``disk``: as in ``ExecutorReady``.
    """

    epoch: int
    groups: list[GroupPages]
    contents: list[str]
    longest_row: int
    disk: bool = False


class StoredPage(Value, frozen=True):
    """A page on disk. ``address``: what its content is found by. ``parent``: the address of the block before, and
    ``tail`` how many tokens lie behind that; 0 where the page ends with a block."""

    address: bytes
    parent: bytes = b""
    tail: int = 0


class StoredSegment(Value, frozen=True):
    """A file with pages of one cache group."""

    name: str
    group: int
    pages: list[StoredPage]


class DiskOpened(Message, frozen=True):
    """Event: the executor of this ``epoch`` keeps pages on disk, ``page_bytes`` each, group by group. ``quota``: bytes
    that all segments may have together. ``writable``: pages can be stored, too. ``kept``: bytes of all segments."""

    epoch: int
    page_bytes: list[int]
    quota: int
    writable: bool = True
    kept: int = 0


class SegmentsFound(Message, frozen=True):
    """Event: these segments lie there already. ``last``: and no others. ``gone``: names of those that were told of, or
    stored, and that others have deleted."""

    epoch: int
    segments: list[StoredSegment]
    last: bool = False
    gone: list[str] = []


class PoolPagesFound(Message, frozen=True):
    """Event: these ``pages`` of a cache group still have what a process that was killed had computed: ``contents``, one
    for each, those that were used last the last. Comes before ``SegmentsFound``, of a pool that nobody has used."""

    epoch: int
    group: int
    pages: list[int]
    contents: list[StoredPage]


class OtherPagesFound(Message, frozen=True):
    """Event: pages lie on disk that this engine can't use, since they depend on other ``contents`` (as in
    ``ExecutorReady``) than its own. ``block``: tokens from one of their ``addresses`` to the next."""

    epoch: int
    contents: list[str]
    block: int
    addresses: list[bytes]


class PagesTaken(Message, frozen=True):
    """Event: the pages of a batch were copied, and may change from now on."""

    batch: int


class PagesStored(Message, frozen=True):
    """Event: a batch lies on disk, in ``bytes`` of a file, or does not, where that is 0. ``evicted``: segments that had
    to go for it. ``writable``, ``kept``: as in ``DiskOpened``, from now on."""

    batch: int
    bytes: int = 0
    evicted: list[str] = []
    writable: bool = True
    kept: int = 0


class PagesRestored(Message, frozen=True):
    """Event: what was asked for in a batch is in its pages, where ``good``. ``bytes``, ``seconds``: what was read, and
    how long that took. ``prefill_rate``: tokens a second that the device computed lately; 0 for not known.
    ``cancelled``: it was not read, since its pages are needed."""

    batch: int
    good: list[bool]
    bytes: int = 0
    seconds: float = 0.0
    prefill_rate: float = 0.0
    cancelled: bool = False


class LimitPool(Message, frozen=True):
    """Command from whoever counts memory: from now on pages may take ``nbytes``, and those in use ``give_back`` less
    than now. Pages kept for reuse go, the least recently used first; sequences that run keep theirs, and go on."""

    nbytes: int
    give_back: int = 0


KVInbox = (
    Admit
    | Plan
    | Reset
    | LimitPool
    | DiskOpened
    | PoolPagesFound
    | SegmentsFound
    | OtherPagesFound
    | PagesTaken
    | PagesStored
    | PagesRestored
)
