"""A slash too many in a path leads to the path that is meant."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.http.cases.plain import CHAT, PLAIN
from tests.http.rig import ask, rig

pytestmark = pytest.mark.anyio


async def test_slashes_that_are_too_many_lead_where_they_are_meant(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for path in (f"{CHAT}/", f"/{CHAT}", "/v1//chat///completions//?stream=%2F"):
            status, body, _ = await ask(r, "POST", path, json=PLAIN[CHAT])
            assert (status, body["object"]) == (200, "chat.completion"), path
        assert (await ask(r, "GET", "/v1/models/"))[0] == 200
        assert (await ask(r, "POST", "/api/chat/", json={**PLAIN["/api/chat"], "stream": False}))[1]["done"]


async def test_nothing_leads_to_another_host_or_to_what_is_not_there(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["k"]) as r, aiohttp.ClientSession() as session:
        known = {"Authorization": "Bearer k"}
        for path, status, location in (
            ("//v1/models?a=b%26c", 308, "/v1/models?a=b%26c"),
            ("//example.org/", 404, None),
            ("//example.org//v1/models", 404, None),
            ("/v1/nowhere/", 404, None),
            ("/v1/chat/completions/", 404, None),
        ):
            url = r.url + path
            async with session.get(url, headers=known, allow_redirects=False) as response:
                assert (response.status, response.headers.get("Location")) == (status, location), path
        async with session.get(r.url + "//v1/models", allow_redirects=False) as response:
            assert response.status == 401
