"""A draft model: a small model with the vocabulary of the one that it drafts for, beside that one on its device."""

from __future__ import annotations

import time
from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.drafting import CANNOT, Made, Wanted
from mlxr.actors.executor.drafting.contexts import Context, Contexts
from mlxr.actors.executor.drafting.drawing import Draft, Drawer
from mlxr.actors.executor.drafting.layout import Part, batch_of, tokens_of
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.messages.scheduler import DrafterInfo

READ_AT_ONCE = 128
"""Tokens of sequences that are read before a step, all rows together: streams wait for no more."""


class DraftModel:
    """Reads what sequences have said, and says what follows: by the same draw, of its own distribution, as the model
    makes at that position, so that both often draw alike where nothing is greedy.

    ``pages``: its pool, every group but states with as many pages. ``vocab_size``: of the model that it drafts for.
    """

    watches = False

    def __init__(
        self, model: LoadedModel, backend: Backend, pages: PoolSpec, vocab_size: int, info: DrafterInfo
    ) -> None:
        self.info = info
        self.forwards: list[tuple[int, int]] = []
        self._model = model
        self._backend = backend
        self._spec = pages
        # It may lack tokens of the other's, and then can't look back at all of a sequence's.
        ids = min(vocab_size, model.vocab_size)
        self._drawer = Drawer(backend, ids, needs_history=model.vocab_size >= vocab_size)
        self._states = [index for index, part in enumerate(pages.groups) if part.group.kind is CacheKind.STATE]
        self._began = 0
        self._pages: Pool | None = None
        self._contexts: Contexts
        self.clear()

    def clear(self) -> None:
        token_pages = [part for part in self._spec.groups if part.group.kind is not CacheKind.STATE]
        states = min((self._spec.groups[index].pages for index in self._states), default=0)
        # Without pages of tokens a sequence counts as one page that holds all of it.
        count, size = (token_pages[0].pages, token_pages[0].page_size) if token_pages else (states, 1 << 20)
        self._contexts = Contexts(count, size, states)
        self._pages = None  # Both at once may be more than there is room for.
        self._pages = self._backend.pool(self._spec)

    @property
    def _pool(self) -> Pool:
        assert self._pages is not None
        return self._pages

    def forget(self, sequence: int) -> None:
        self._contexts.forget(sequence)

    def saw(self, sequence: int, start: int, hidden: mx.array, first: int, count: int) -> mx.array | None:
        """It has no use for hidden states."""
        return None

    def draft(self, wanted: list[Wanted]) -> list[Made]:
        self.forwards = []
        made = [Made([]) for _ in wanted]
        contexts: dict[int, Context] = {}
        drafts, hidden = self._read(wanted, made, contexts)
        while drafts and hidden is not None:
            logits = self._model.logits(hidden, mx.array(np.arange(len(drafts), dtype=np.int32)))
            drafts = self._drawer.draw(drafts, logits, made, self._backend.barrier(self._pool))
            self._timed()
            if drafts:
                hidden = self._go_on(drafts, made, contexts)
        return made

    def _read(
        self, wanted: list[Wanted], made: list[Made], contexts: dict[int, Context]
    ) -> tuple[list[Draft], mx.array | None]:
        """Reads what is new of each sequence, or a part of it; returns the drafts that can begin, and the hidden states
        that these begin from. ``contexts``: gets those of all rows."""
        beside, budget = {each.sequence.id for each in wanted}, READ_AT_ONCE
        parts: list[Part] = []
        begin: list[Draft] = []
        ends: list[int] = []
        end = 0
        for row, each in enumerate(wanted):
            context = contexts[row] = self._contexts.of(each.sequence.id, each.tokens, each.known)
            length = len(each.tokens) + each.most
            guided = bool(self._states) and len(each.tokens) > each.known  # by tokens that may have to be taken back
            if guided or length > self._model.context_length or not self._contexts.reserve(context, length, beside):
                made[row].unread = CANNOT
                continue
            start = len(context.tokens)
            read = each.tokens[start : start + max(1, budget)]
            budget -= len(read)
            end += len(read)
            parts.append(Part(context, start, read))
            made[row].unread = len(each.tokens) - start - len(read)
            if not made[row].unread:
                begin.append(Draft(row, each))
                ends.append(end - 1)
        if not parts:
            return [], None
        hidden = self._forward(parts)
        for part in parts:
            part.context.tokens += part.tokens
        if not begin:
            mx.eval(hidden, *self._backend.barrier(self._pool))
            self._timed()
            return [], None
        for index in self._states:
            held = [contexts[each.row].states for each in begin]
            self._backend.copy_pages(self._pool, index, [pair for pair in held if pair is not None])
        return begin, hidden[mx.array(np.array(ends, np.int32))]

    def _go_on(self, drafts: list[Draft], made: list[Made], contexts: dict[int, Context]) -> mx.array:
        """Returns hidden states behind the last tokens of ``drafts``."""
        parts: list[Part] = []
        for each in drafts:
            draft = made[each.row].draft
            start = len(each.wanted.tokens) + len(draft) - 1
            parts.append(Part(contexts[each.row], start, draft[-1:], working=True))
        hidden = self._forward(parts)
        if not self._states:
            for part in parts:
                part.context.tokens += part.tokens
        return hidden

    def _forward(self, parts: Sequence[Part]) -> mx.array:
        """Returns hidden states of all tokens of ``parts``, one part behind another."""
        self._began = time.monotonic_ns()
        tokens = tokens_of(parts)
        self._tokens = len(tokens)
        return self._model.forward(mx.array(np.array(tokens, np.int32)), batch_of(parts, self._spec), self._pool)

    def _timed(self) -> None:
        self.forwards.append((self._tokens, time.monotonic_ns() - self._began))
