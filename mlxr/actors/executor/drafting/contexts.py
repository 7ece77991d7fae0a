"""What a draft model has read of each sequence, and in which of its pages. Holds no tensor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

KEPT = 64
"""Contexts of sequences that are over, for those that begin alike."""

LEAST_SHARED = 32
"""Tokens that a new sequence must share with one that is over to go on from what was read of it."""


@dataclass(slots=True, eq=False)
class Context:
    """Attributes:
    tokens: what has been read, whose keys and values are in ``pages``, one token behind another. Where there are
        states, as far as the first of ``states`` goes.
    states: the page with the state of all ``tokens``, and the one that drafts work on; None where there are none.
    standing: how many of ``tokens`` are for sure the sequence's.
    """

    tokens: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    states: tuple[int, int] | None = None
    standing: int = 0


class Contexts:
    """Owns a draft model's pages. Who needs one takes it from sequences that are over, and then from whoever was
    drafted for longest ago.

    ``pages``: how many there are, of ``page_size`` tokens. ``states``: how many pages for states; 0 where there are
    none.
    """

    def __init__(self, pages: int, page_size: int, states: int) -> None:
        self._page_size = page_size
        self._pages = pages
        self._has_states = states > 0
        self._free = list(range(pages))
        self._free_states = list(range(states))
        self._open: OrderedDict[int, Context] = OrderedDict()
        self._over: OrderedDict[int, Context] = OrderedDict()

    @property
    def free(self) -> int:
        """Pages that nobody has."""
        return len(self._free)

    def of(self, sequence: int, tokens: list[int], known: int) -> Context:
        """Returns the context of a sequence, of whose ``tokens`` the first ``known`` stand for good; what it has read
        is cut to as much as is the same. A new one goes on from the longest beginning that one had which is over."""
        context = self._open.pop(sequence, None)
        if context is None:
            context = self._inherited(tokens) or Context()
        self._open[sequence] = context
        self._cut(context, tokens, known)
        return context

    def plain(self, sequence: int) -> Context:
        """Returns the context of a sequence as it is, a new one if it has none."""
        context = self._open.pop(sequence, None) or Context()
        self._open[sequence] = context
        return context

    def drop(self, sequence: int) -> None:
        """Gives back what a sequence has."""
        if (context := self._open.pop(sequence, None)) is not None:
            self._give_back(context)

    def reserve(self, context: Context, length: int, beside: Collection[int]) -> bool:
        """Tells whether ``context`` has pages for ``length`` tokens, from now on; ``beside``: sequences that keep
        theirs."""
        needed = -(-length // self._page_size) - len(context.pages)
        if length > self._pages * self._page_size:
            return False
        while len(self._free) < needed or (self._has_states and context.states is None and len(self._free_states) < 2):
            if not self._evict(beside):
                return False
        if self._has_states and context.states is None:
            context.states = self._free_states.pop(), self._free_states.pop()
        for _ in range(needed):
            context.pages.append(self._free.pop())
        return True

    def forget(self, sequence: int) -> None:
        """The sequence is over: what was read of it stays for those that begin alike, while there is room."""
        context = self._open.pop(sequence, None)
        if context is None:
            return
        if (before := self._over.pop(sequence, None)) is not None:
            self._give_back(before)
        self._over[sequence] = context
        if len(self._over) > KEPT:
            self._give_back(self._over.popitem(last=False)[1])

    def _evict(self, beside: Collection[int]) -> bool:
        if self._over:
            self._give_back(self._over.popitem(last=False)[1])
            return True
        for sequence in self._open:
            if sequence not in beside:
                self._give_back(self._open.pop(sequence))
                return True
        return False

    def _give_back(self, context: Context) -> None:
        self._free += context.pages
        if context.states is not None:
            self._free_states += context.states

    def _inherited(self, tokens: list[int]) -> Context | None:
        best, most = None, LEAST_SHARED - 1
        for sequence, context in self._over.items():
            shared = common_length(context.tokens, tokens)
            whole = not self._has_states or shared == len(context.tokens)
            if shared > most and whole:
                best, most = sequence, shared
        if best is None:
            return None
        context = self._over.pop(best)
        context.standing = min(context.standing, most)
        return context

    def _cut(self, context: Context, tokens: list[int], known: int) -> None:
        """Leaves of ``context`` what is true of ``tokens``, and their last to be read: what comes behind that, a pass
        over it says."""
        most = min(len(context.tokens), len(tokens) - 1)
        at = min(context.standing, most)
        while at < most and context.tokens[at] == tokens[at]:
            at += 1
        if at < len(context.tokens):
            # A state can't be cut: whoever has one that is wrong begins again.
            at = 0 if self._has_states else at
            del context.tokens[at:]
        context.standing = min(at, known)


def common_length(one: list[int], other: list[int]) -> int:
    """Returns how many tokens both begin with."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
