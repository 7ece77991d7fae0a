"""A real server and the web application's pages."""

from __future__ import annotations

from pathlib import Path

from mlxr.http.ui.bundle.files import is_built
from tests.server import serving


def test_a_server_says_once_where_its_pages_are_not_built(tmp_path: Path) -> None:
    with serving(tmp_path / "home", models=()) as server:
        assert server.request("/ui/models")[0] == 200
        assert server.log.read_text().count("make setup") == (not is_built())
