"""Who is allowed to fetch: what a request says of its sender, and what a refusal means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mlxr.runtime.errors import ModelError


class Access(Protocol):
    """Speaks for the user to the host that a file's address names; other hosts, where that host sends us on, hear
    nothing of it."""

    async def headers(self, url: str) -> Mapping[str, str]:
        """Returns what to send along."""

    async def renew(self, url: str, headers: Mapping[str, str]) -> bool:
        """The host answered 401 with these headers: whether it is worth asking once more, with new ``headers``."""

    def refusal(self, status: int, headers: Mapping[str, str]) -> ModelError | None:
        """Returns what an answer of that status means here, as an error for the user; None where nothing more is
        known."""


class Anybody:
    """Access to what everybody may have."""

    async def headers(self, url: str) -> Mapping[str, str]:
        return {}

    async def renew(self, url: str, headers: Mapping[str, str]) -> bool:
        return False

    def refusal(self, status: int, headers: Mapping[str, str]) -> ModelError | None:
        return None
