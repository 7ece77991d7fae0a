"""Following the page on adding a route makes one that works."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from mlxr.http import app, routes
from mlxr.http.openapi import document
from tests.http.rig import ask, embedded, rig
from tests.pages import DOCS, imported, python_of

PAGE = (DOCS / "route.md").read_text()
IMPORTS = """
from typing import Any, ClassVar
from aiohttp import web
from msgspec import Struct
from mlxr.api.errors import invalid
from mlxr.http.json_response import json_response
from mlxr.http.model_request import ModelRequest, with_model
from mlxr.http.services import Route, Services
from mlxr.runtime.messages.tokenizer import TextPrompt, Tokenize
"""


@pytest.fixture
def surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the page has one write, put where the page says."""
    made = imported("length_surface", f"{IMPORTS}\n{python_of('route.md')}\n", tmp_path, monkeypatch)
    monkeypatch.setattr(app, "ROUTES", (*routes.ROUTES, *made.ROUTES))
    return made


async def test_the_pages_route_answers_and_refuses_what_it_says(tmp_path: Path, surface: ModuleType) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        status, body, headers = await ask(r, "POST", "/length", json={"text": "abc", "colour": 1})
        assert (status, body, headers["X-Mlxr-Ignored"]) == (200, {"tokens": 3}, "colour")
        for wrong, param in (({"text": ""}, "text"), ({"text": "a", "language": "fr"}, "language")):
            status, body, _ = await ask(r, "POST", "/length", json=wrong)
            assert (status, body["error"]["param"]) == (400, param)


async def test_the_pages_route_asks_for_a_key(tmp_path: Path, surface: ModuleType) -> None:
    async with rig(tmp_path, api_keys=["right"]) as r:
        assert (await ask(r, "POST", "/length", json={"text": "abc"}))[0] == 401


def test_the_pages_route_is_in_the_document(surface: ModuleType) -> None:
    made = document((*routes.ROUTES, *surface.ROUTES), routes.ERROR_SCHEMAS)
    assert "post" in made["paths"]["/length"]
    assert {"text", "language", "model"} == made["components"]["schemas"]["LengthRequest"]["properties"].keys()


def test_files_that_the_page_names_are_there() -> None:
    named = [name for name in re.findall(r"`((?:mlxr|tests)/[\w./]+)`", PAGE) if "length" not in name]
    assert len(named) >= 5
    assert [name for name in named if not (Path(__file__).parents[2] / name).exists()] == []
