"""Finds hosts that are everybody's for a client. ``public_hosts``, which commands use that connect to none, does
without aiohttp."""

from __future__ import annotations

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mlxr.actors.registry.sources.transfer.public_hosts import not_public
from mlxr.api.public_addresses import is_public


class PublicResolver(AbstractResolver):
    """Finds the addresses of hosts that are everybody's; raises ``PullError`` for others."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise not_public(host)
        return found

    async def close(self) -> None:
        await self._resolver.close()
