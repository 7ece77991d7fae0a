"""What changes of models, memory and jobs, as server-sent events: each has everything since the one before it, so that
who comes back with its id misses nothing and hears nothing twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
from aiohttp import web

from mlxr.api import sse
from mlxr.api.caller import CALLER
from mlxr.api.change_feed import Changes
from mlxr.api.jobs import Job
from mlxr.api.library import JOB, MODEL, LibraryModel, MachineMemory, Row, for_remote, of_kind
from mlxr.http.services import Services
from mlxr.http.stream import relay
from mlxr.http.ui.models.schema import LibraryChanges

PAUSE_SECONDS = 0.1
"""Between two events, so that many changes at once are one."""


async def events(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    return await relay(request, _events(services, request.headers.get("Last-Event-ID", "")), b":\n\n")


async def _events(services: Services, version: str) -> AsyncGenerator[bytes]:
    feed, remote = services.gateway.library.feed, CALLER.get().remote
    while services.gateway.accepting():
        changes = feed.since(version)
        yield sse.event("library", _told(changes, remote), changes.version)
        version = changes.version
        await feed.changed(version)
        await anyio.sleep(PAUSE_SECONDS)


def _told(changes: Changes[Row], remote: bool) -> LibraryChanges:
    rows = [for_remote(row) if remote else row for row in changes.rows.values()]
    return LibraryChanges(
        changes.reset,
        of_kind(rows, LibraryModel),
        of_kind(rows, Job),
        [key.removeprefix(MODEL) for key in changes.gone if key.startswith(MODEL)],
        [key.removeprefix(JOB) for key in changes.gone if key.startswith(JOB)],
        next(iter(of_kind(rows, MachineMemory)), None),
    )
