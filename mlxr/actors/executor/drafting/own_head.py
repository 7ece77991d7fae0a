"""Drafts by a head of the model itself (multi-token prediction), which reads the hidden states that steps leave."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.draft_sizes import SEEN_TOKENS
from mlxr.actors.executor.drafting import CANNOT, Made, Wanted
from mlxr.actors.executor.drafting.contexts import Context, Contexts
from mlxr.actors.executor.drafting.drawing import Draft, Drawer
from mlxr.actors.executor.drafting.layout import Part, batch_of, tokens_of
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.models.architectures.drafting_head import DraftingHead
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.scheduler import DrafterInfo

KEPT = 512
"""Positions of a sequence whose hidden states are kept for the head to read before a draft: it is one layer of many, so
that as long a part of a prompt takes it no time to speak of."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Hidden states of positions from ``start`` on: the first ``count`` rows of ``hidden``."""

    start: int
    hidden: mx.array
    count: int

    @property
    def end(self) -> int:
        return self.start + self.count

    def rows(self, start: int, end: int) -> mx.array:
        """Returns those of positions ``start`` to ``end``."""
        return self.hidden[start - self.start : end - self.start]


@dataclass(slots=True)
class Read:
    """What the head has of one sequence.

    Attributes:
        begin: the first position whose hidden state it has read.
        read: up to which position it has.
        seen: what it may read next, one behind another.
    """

    begin: int = 0
    read: int = 0
    seen: list[Seen] = field(default_factory=list)


class OwnHead:
    """At position p the head reads the hidden state of p and the token behind it; its keys and values of p are in place
    ``p - begin``. It begins anew where hidden states are missing: those of a prompt found computed are not there, and
    of a sequence that has not been drafted for a while only the last are kept, and of all together those of the
    sequences that steps were about last.

    ``pages``: of the head's pool.
    """

    watches = True

    def __init__(self, model: LoadedModel, head: DraftingHead, backend: Backend, pages: PoolSpec, info: DrafterInfo):
        self.info = info
        self.forwards: list[tuple[int, int]] = []
        self._model = model
        self._head = head
        self._backend = backend
        self._spec = pages
        self._drawer = Drawer(backend, model.vocab_size, needs_history=True)
        self._pages: Pool | None = None
        self._contexts: Contexts
        self._sequences: OrderedDict[int, Read] = OrderedDict()
        self._rows = 0
        self._began = self._tokens = 0
        self.clear()

    def clear(self) -> None:
        part = self._spec.groups[0]
        self._contexts = Contexts(part.pages, part.page_size, 0)
        self._reach = min(KEPT, part.pages * part.page_size // 2)
        self._pages = None  # Both at once may be more than there is room for.
        self._pages = self._backend.pool(self._spec)
        self._sequences = OrderedDict()
        self._rows = 0

    @property
    def _pool(self) -> Pool:
        assert self._pages is not None
        return self._pages

    def forget(self, sequence: int) -> None:
        if (read := self._sequences.pop(sequence, None)) is not None:
            self._dropped(read.seen)
        self._contexts.drop(sequence)

    def saw(self, sequence: int, start: int, hidden: mx.array, first: int, count: int) -> mx.array | None:
        """A step has computed the sequence's positions from ``start`` on: rows of ``hidden`` from ``first`` on, so
        ``count``. What was there of these positions came of drafts that were wrong."""
        read = self._sequences.setdefault(sequence, Read())
        self._sequences.move_to_end(sequence)
        while read.seen and read.seen[-1].start >= start:
            self._dropped([read.seen.pop()])
        if read.seen and read.seen[-1].end > start:
            last = read.seen.pop()
            self._dropped([last])
            self._kept(read, Seen(last.start, last.hidden, start - last.start))
        if read.seen and read.seen[-1].end < start:
            self._dropped(read.seen)
            read.seen.clear()
        # A copy of the rows that may be read: those of all others would stay with them, of a long step for 512 steps.
        begin, end = first + max(0, count - KEPT), first + count
        copied = None if (begin, end) == (0, len(hidden)) else mx.contiguous(hidden[begin:end])
        self._kept(read, Seen(start + begin - first, hidden if copied is None else copied, end - begin))
        while len(read.seen) > 1 and read.seen[-1].end - read.seen[0].end >= KEPT:
            self._dropped([read.seen.pop(0)])
        for other in self._sequences.values():
            if self._rows <= SEEN_TOKENS or other is read:
                break
            self._dropped(other.seen)
            other.seen.clear()
        return copied

    def _kept(self, read: Read, seen: Seen) -> None:
        read.seen.append(seen)
        self._rows += seen.count

    def _dropped(self, seen: list[Seen]) -> None:
        self._rows -= sum(each.count for each in seen)

    def draft(self, wanted: list[Wanted]) -> list[Made]:
        self.forwards = []
        made = [Made([]) for _ in wanted]
        contexts: dict[int, Context] = {}
        starts: dict[int, int] = {}
        drafts, x = self._read(wanted, made, contexts, starts)
        while drafts and x is not None:
            logits = self._head.logits(x, mx.array(np.arange(len(drafts), dtype=np.int32)))
            before = [each.row for each in drafts]
            drafts = self._drawer.draw(drafts, logits, made, self._backend.barrier(self._pool))
            self.forwards.append((self._tokens, time.monotonic_ns() - self._began))
            if drafts:
                kept = [before.index(each.row) for each in drafts]
                hidden = self._head.hidden(x if len(kept) == len(before) else x[mx.array(np.array(kept, np.int32))])
                x = self._forward([_last(each, made, contexts, starts) for each in drafts], hidden)
        return made

    def _read(
        self, wanted: list[Wanted], made: list[Made], contexts: dict[int, Context], starts: dict[int, int]
    ) -> tuple[list[Draft], mx.array | None]:
        """Reads what steps have left; returns the drafts that can begin, and what the head gave for these. ``contexts``
        and ``starts``: get their pages, and the places of their first tokens."""
        beside = {each.sequence.id for each in wanted}
        parts: list[Part] = []
        hidden: list[mx.array] = []
        drafts: list[Draft] = []
        ends: list[int] = []
        end = 0
        for row, each in enumerate(wanted):
            if len(each.tokens) > each.known:
                made[row].unread = CANNOT  # There are no hidden states behind tokens that others have drafted.
                continue
            read, last = self._sequences.get(each.sequence.id, Read()), each.known - 1
            if not read.seen or read.seen[-1].end < last or read.seen[0].start >= last:
                made[row].unread = 1  # The next step leaves what it takes.
                continue
            if not self._placed(read, each, last, contexts, row, beside):
                made[row].unread = CANNOT
                continue
            own = [
                seen.rows(max(seen.start, read.read), min(seen.end, last))
                for seen in read.seen
                if seen.end > read.read and seen.start < last
            ]
            hidden += own
            tokens = each.tokens[read.read + 1 : last + 1]
            parts.append(Part(contexts[row], read.read - read.begin, tokens))
            end += len(tokens)
            drafts.append(Draft(row, each))
            ends.append(end - 1)
            read.read = last
            while read.seen[0].end < last:
                self._dropped([read.seen.pop(0)])
            starts[row] = last - read.begin
        if not parts:
            return [], None
        joined = hidden[0] if len(hidden) == 1 else mx.concatenate(hidden)
        x = self._forward(parts, self._model.pooled_input(joined))
        return drafts, x[mx.array(np.array(ends, np.int32))]

    def _placed(
        self, read: Read, each: Wanted, last: int, contexts: dict[int, Context], row: int, beside: set[int]
    ) -> bool:
        """Tells whether there are pages for what is to be read up to position ``last``, and for the draft; gives up
        what was read where that does not go on, or takes too many."""
        context = self._contexts.plain(each.sequence.id)
        read.read = min(read.read, last - 1)
        goes_on = bool(context.pages) and max(read.begin, read.seen[0].start, last - self._reach) <= read.read
        if not goes_on or not self._contexts.reserve(context, last - read.begin + each.most, beside):
            self._contexts.drop(each.sequence.id)
            context = self._contexts.plain(each.sequence.id)
            read.begin = read.read = max(read.seen[0].start, last - self._reach)
            if not self._contexts.reserve(context, last - read.begin + each.most, beside):
                return False
        contexts[row] = context
        return True

    def _forward(self, parts: list[Part], hidden: mx.array) -> mx.array:
        self._began = time.monotonic_ns()
        tokens = tokens_of(parts)
        self._tokens = len(tokens)
        return self._head(mx.array(np.array(tokens, np.int32)), hidden, batch_of(parts, self._spec), self._pool)


def _last(each: Draft, made: list[Made], contexts: dict[int, Context], starts: dict[int, int]) -> Part:
    """Returns the last token of a draft, and its place."""
    draft = made[each.row].draft
    return Part(contexts[each.row], starts[each.row] + len(draft) - 1, draft[-1:])
