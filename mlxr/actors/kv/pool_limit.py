"""How many pages there may be, group by group, and what the executor has been told of that."""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.actors.kv.groups import Group
from mlxr.runtime.messages.executor import GroupSize


class PoolLimit:
    """Owns how many bytes pages may take, and the sizes of the groups' parts that the executor knows."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._most = sum(group.spec.pages * group.spec.page_bytes for group in groups)
        self._allowed = self._most
        self.known: list[GroupSize] = []

    @property
    def exceeded(self) -> bool:
        """Whether pages may take more than is allowed, because sequences hold them."""
        return sum(group.pool.limit * group.spec.page_bytes for group in self._groups) > self._allowed

    def allow(self, nbytes: int) -> None:
        """Pages may take so much from now on, as far as there is that in the pool."""
        self._allowed = min(nbytes, self._most)

    def resize(self, index: int, least: int) -> dict[int, int]:
        """Lets a group have its share of what is allowed, and no less than ``least`` pages; returns which pages have
        moved where."""
        group = self._groups[index]
        share = group.spec.pages * self._allowed // self._most if self._most else group.spec.pages
        return dict(group.pool.resize(max(share, least, 1)))

    def changed(self) -> list[GroupSize]:
        """Returns how large the groups' parts are, and takes that for told; empty where the executor knows."""
        sizes = [GroupSize(group.pool.size, group.pool.limit) for group in self._groups]
        if sizes == self.known:
            return []
        self.known = sizes
        return sizes
