"""Jobs of a real server that is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from aiohttp import web
from anyio import to_thread

from mlxr.actors.registry.progress import ignore
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.actors.registry.sources.web import file_server
from tests.models import model_path
from tests.server import Server

MOST_LOST = 16 << 20
"""Bytes that are fetched again after a kill."""


async def asked(server: Server, path: str, body: Any = None) -> Any:
    status, answer = await to_thread.run_sync(partial(server.request, path, body))
    assert status == 200, answer
    return answer


@asynccontextmanager
async def started(home: Path) -> AsyncIterator[Server]:
    server = Server(home)
    try:
        await to_thread.run_sync(server.wait_ready)
        yield server
    finally:
        await to_thread.run_sync(server.close)


async def until(look: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    with anyio.fail_after(120):
        while not holds(seen := await look()):  # noqa: ASYNC110  (a server tells over HTTP)
            await anyio.sleep(0.1)
    return seen


async def test_a_pull_of_a_killed_server_is_interrupted_and_goes_on_where_it_was(tmp_path: Path) -> None:
    content = await anyio.Path(model_path("smollm2")).read_bytes()
    half, opened = len(content) // 2, anyio.Event()
    home = tmp_path / "home"
    async with file_server({"/some.gguf": content}) as source:

        async def wait(request: web.Request) -> None:
            if source.sent >= half:
                await opened.wait()

        source.before = wait
        await pull_model(Home(home), str(model_path("minilm")), ignore)
        async with started(home) as server:
            job = await asked(server, "/api/ui/jobs/pull", {"model": f"{source.url}/some.gguf"})
            path = f"/api/ui/jobs/{job['id']}"
            await until(partial(asked, server, path), lambda job: job["completed"] >= half - MOST_LOST // 2)
            server.process.kill()
        sent = source.sent
        async with started(home) as server:
            left = await asked(server, path)
            assert (left["state"], left["resumes"]) == ("interrupted", True)
            opened.set()
            await asked(server, path, {"action": "retry"})
            done = await until(partial(asked, server, path), lambda job: job["state"] not in ("waiting", "running"))
            assert (done["state"], done["attempts"]) == ("done", 2), done
            assert any(model["name"] == done["result"] for model in (await asked(server, "/api/ui/models"))["models"])
    assert source.sent - sent <= len(content) - half + MOST_LOST
