"""Fixtures of all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mlxr.actors.executor.pool_files import file
from mlxr.actors.registry.ollama import address

LONGEST = (
    "metal/cpu/test_sanitizer.py",
    "actors/registry/test_killed.py",
    "end_to_end/",
    "cli/",
    "metal/gpu/",
    "actors/executor/",
)
"""What starts processes and compilers. It comes first, so that no worker is left with a long file in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(here).as_posix()
        return next((at for at, long in enumerate(LONGEST) if path.startswith(long)), len(LONGEST))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Thousands of tests are objects that stay: the collector, which some tests ask, need not look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests run on the loop that the server runs on."""
    return "asyncio", {"use_uvloop": True}


class _Empty(BaseHTTPRequestHandler):
    """A registry that has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def empty_registry() -> Iterator[str]:
    """Where names that mean nothing here are asked for: on this machine, and by processes that tests start, too."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(address, "DEFAULT_REGISTRY", url)
            patch.setitem(os.environ, "MLXR_MODELS_REGISTRY", url)
            yield url
        server.shutdown()


@pytest.fixture(scope="session", autouse=True)
def pools_stay_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test finds pools that others left in memory, or deletes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "FOLDER", tmp_path_factory.mktemp("memory"))
        yield


@pytest.fixture(autouse=True)
def signals_come_through() -> Iterator[None]:
    """What a test leaves blocked, every process that later tests start would have blocked, too."""
    yield
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
