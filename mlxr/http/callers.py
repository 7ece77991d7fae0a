"""Who calls: a client on this machine, or on another one, whose requests the runtime is told apart by."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from aiohttp import web
from msgspec.structs import replace

from mlxr.http.client import Client, RegistryCommand, Stream
from mlxr.runtime.messages.frontend import Embedding, EngineInfo, EngineStats, ModelEntry, RegistryReply, Tokenized
from mlxr.runtime.messages.tokenizer import Detokenize, Embed, Generate, Tokenize

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""What proxies add: the client is somewhere behind one, wherever that runs."""


def is_local(request: web.BaseRequest) -> bool:
    """Whether the client is on this machine: at the other end of a Unix socket or a loopback address, with no proxy in
    between that says so."""
    transport = request.transport
    if transport is None or any(header in request.headers for header in FORWARDED):
        return False
    if isinstance(transport.get_extra_info("sockname"), str | bytes):
        return True
    peer = transport.get_extra_info("peername")
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except (TypeError, IndexError, ValueError):
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class RemoteClient:
    """Implements ``Client`` for a client on another machine."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.known = client.known
        self.accepting = client.accepting

    def models(self) -> list[ModelEntry]:
        return self._client.models()

    def find(self, name: str) -> ModelEntry | None:
        return self._client.find(name)

    def engines(self) -> list[EngineInfo]:
        return self._client.engines()

    def stats(self) -> list[EngineStats]:
        return self._client.stats()

    def health(self) -> EngineInfo | None:
        return self._client.health()

    def generate(
        self,
        model: str,
        command: Generate,
        *,
        surface: str = "",
        keep_alive: float | None = None,
        remote: bool = True,
    ) -> AbstractAsyncContextManager[Stream]:
        return self._client.generate(model, command, surface=surface, keep_alive=keep_alive, remote=True)

    async def embed(
        self,
        model: str,
        command: Embed,
        *,
        surface: str = "",
        keep_alive: float | None = None,
        remote: bool = True,
    ) -> Embedding:
        return await self._client.embed(model, command, surface=surface, keep_alive=keep_alive, remote=True)

    async def tokenize(
        self, model: str, command: Tokenize | Detokenize, *, surface: str = "", remote: bool = True
    ) -> Tokenized:
        return await self._client.tokenize(model, command, surface=surface, remote=True)

    def registry(self, command: RegistryCommand) -> AsyncGenerator[RegistryReply]:
        return self._client.registry(replace(command, remote=True))
