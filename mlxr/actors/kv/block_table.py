"""A sequence's block table in one cache group, and the pages in it that can be found again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlxr.actors.kv.pages import PagePool
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.runtime.messages.executor import PageCopy
from mlxr.runtime.messages.kv import StoredPage, TableEntries


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page that can be found, and what it would be found by on disk."""

    page: int
    stored: StoredPage


@dataclass(slots=True)
class BlockTable:
    """One sequence's pages in one group.

    ``pages``: entries ``first`` and up of its block table; those before have been given back.
    ``first``: the first entry that it holds.
    ``published``: up to which entry its pages can be found by others.
    ``promised``: how many pages it was admitted for, of which it has some.
    ``kept``: of a ``state`` group, the state to go back to if a draft turns out to be wrong.
    ``stale``: the executor has other entries than these.
    """

    pages: list[int] = field(default_factory=list)
    first: int = 0
    published: int = 0
    promised: int = 0
    kept: int | None = None
    stale: bool = False

    @property
    def end(self) -> int:
        return self.first + len(self.pages)

    def entries(self, first: int) -> TableEntries:
        """Returns the pages from ``first`` on, as far as the table holds them."""
        first = max(first, self.first)
        return TableEntries(first, self.pages[first - self.first :])


def kept_pages(pool: PagePool, chain: PrefixChain, ends: Iterable[int]) -> list[KeptPage]:
    """Returns the pages that end at ``ends`` and can be found."""
    kept: list[KeptPage] = []
    for end in ends:
        page = pool.at(chain.at(end))
        if page is not None:
            kept.append(KeptPage(page, StoredPage(chain.at(end), *chain.parent(end))))
    return kept


def own_entry(pool: PagePool, index: int, table: BlockTable, entry: int, copies: list[PageCopy]) -> bool:
    """Makes the entry, whose page is not writable, one that its sequence may write to; returns whether it is another
    page. Where none is left for a copy, what nobody else holds is no longer to be found.
    """
    old = table.pages[entry - table.first]
    new = pool.allocate()
    if new is None:
        assert not pool.shared(old), "availability was checked before"
        pool.unpublish(old)
        return False
    table.pages[entry - table.first] = new
    copies.append(PageCopy(index, old, new))
    pool.release(old)
    return True
