"""The server of a chat: found or started, found again when it has ended, and asked for models."""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from types import TracebackType
from typing import Any

from mlxr.actors.registry.progress import Progress
from mlxr.cli.client.client import Client, ServerError, ServerGone, choose, connected
from mlxr.cli.progress import PullBars
from mlxr.cli.run.spinner import Spinner
from mlxr.models.names import local_file

NOT_FOUND = 404
ADAPTED = re.compile(r"[^+/]+(\+[^+/]+)+")
"""``MODEL+ADAPTER``."""

_NO_TIME = re.compile(r"[+-]?0+(\.0*)?([a-z]+)?")


class Connection:
    """Talks to the server that is named, or runs here, or is started. One that this found or started itself is looked
    for again when it no longer answers. ``insecure``: registries are asked without TLS for a model that is pulled."""

    def __init__(self, endpoint: str | None, insecure: bool = False) -> None:
        self._named = endpoint
        self._insecure = insecure
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._spinner: Spinner | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def client(self) -> Client:
        if self._client is None:
            async with self.waiting("starting a server"):
                endpoint = await choose(self._named)
            self._client = await self._stack.enter_async_context(connected(endpoint))
        return self._client

    async def lost(self) -> None:
        """Forgets the server, which is gone: the next request finds another."""
        await self._stack.aclose()
        self._client = None

    async def post(self, path: str, body: object) -> Any:
        """As ``Client.post``, of another server where this one has ended since."""
        client = await self.client()
        try:
            return await client.post(path, body)
        except ServerGone:
            await self.lost()
            return await (await self.client()).post(path, body)

    async def lines(self, path: str, body: object) -> AsyncGenerator[dict[str, Any], None]:
        """As ``Client.lines``, of another server where this one has ended before it said anything."""
        client, begun = await self.client(), False
        try:
            async with aclosing(client.lines(path, body)) as lines:
                async for line in lines:
                    begun = True
                    yield line
            return
        except ServerGone:
            await self.lost()
            if begun:
                raise
        async with aclosing((await self.client()).lines(path, body)) as lines:
            async for line in lines:
                yield line

    async def show(self, model: str) -> dict[str, Any]:
        """What is known of a model. Raises ``ServerError``."""
        shown: dict[str, Any] = await self.post("/api/show", {"model": model})
        return shown

    async def obtained(self, model: str, report: Callable[[Progress], None] | None = None) -> dict[str, Any]:
        """What is known of a model, which is pulled where it isn't here. ``report`` hears how far that is; None: bars
        on stderr. Raises ``ServerError``."""
        try:
            return await self.show(model)
        except ServerError as error:
            # An adapter has no source that goes without saying.
            if error.status != NOT_FOUND or local_file(model) is not None or ADAPTED.fullmatch(model):
                raise
        if report is not None:
            await self._pull(model, report)
        else:
            with PullBars() as bars:
                await self._pull(model, bars.report)
        return await self.show(model)

    async def _pull(self, model: str, report: Callable[[Progress], None]) -> None:
        async with aclosing(self.lines("/api/pull", {"model": model, "insecure": self._insecure})) as lines:
            async for line in lines:
                status, total, completed = line.get("status", ""), line.get("total", 0), line.get("completed", 0)
                report(Progress(status, total=total, completed=completed))

    async def load(self, model: str, keep_alive: str | None) -> float:
        """Returns once the model is loaded, with the seconds that took. Raises ``ServerError``."""
        began = time.monotonic()
        body = {"model": model}
        # With nothing to answer, no time at all means to unload it.
        if keep_alive and not _NO_TIME.fullmatch(keep_alive):
            body["keep_alive"] = keep_alive
        async with self.waiting(f"loading {model}"):
            await self.post("/api/generate", body)
        return time.monotonic() - began

    @asynccontextmanager
    async def waiting(self, text: str) -> AsyncIterator[Spinner]:
        """Says meanwhile on a terminal what is being waited for; within another wait, in its place."""
        if (outer := self._spinner) is not None:
            before, outer.text = outer.text, text
            try:
                yield outer
            finally:
                outer.text = before
            return
        async with Spinner(text) as self._spinner:
            try:
                yield self._spinner
            finally:
                self._spinner = None


def for_server(model: str) -> str:
    """``model`` as a server finds it: paths of files here are spelled out, since it runs elsewhere."""
    path = local_file(model)
    return model if path is None else os.path.abspath(path)
