"""One server for all end-to-end tests that do not harm it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, "smollm2", "--set", "kv.pool_tokens=16384") as running:
        yield running
