"""What pages of other sites, opened in the same browser, can do to the web application's API: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mlxr.http.routes import ROUTES
from tests.http.rig import Rig, rig

OURS = sorted({(route.method, route.path) for route in ROUTES if route.path.startswith("/api/ui/")})
CHANGING = [(method, path) for method, path in OURS if method not in ("GET", "HEAD")]

EVIL = "https://evil.example"


async def send(r: Rig, method: str, path: str, **headers: str) -> tuple[int, Any, Any]:
    """Status, JSON and headers of a request as a browser's form sends it: no JSON, so that nothing is asked before."""
    given = {"Content-Type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, r.url + path.replace("{", "").replace("}", ""), headers=given, data=b"{}") as response,
    ):
        return response.status, await response.json(), response.headers


async def test_a_form_of_another_site_changes_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for method, path in CHANGING:
            # A sandboxed frame, or a redirect across sites, has the origin null.
            for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
                assert (await send(r, method, path, **headers))[0] == 403, (method, path, headers)


async def test_a_name_that_was_bound_to_this_address_opens_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for method, path in OURS:
            status, body, _ = await send(r, method, path, Host="evil.example:80", Origin="http://evil.example:80")
            assert status == 403, (method, path)
            assert method == "HEAD" or "Host header" in body["error"]


async def test_nothing_is_there_without_the_key(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["right"]) as r:
        for method, path in OURS:
            assert (await send(r, method, path))[0] == 401, (method, path)
            assert (await send(r, method, path, Cookie="key=right; api_key=right"))[0] == 401
            # Never by the address, which ends in histories and logs.
            assert (await send(r, method, path + "?key=right&api_key=right"))[0] == 401


async def test_answers_are_never_made_into_pages_or_read_by_others(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for path in ("/api/ui/settings", "/api/ui/nothing"):
            headers = (await send(r, "GET", path))[2]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "sandbox" in headers["Content-Security-Policy"]
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/ui/models", "/docs", "/docs/docs.js"])
async def test_pages_load_and_run_what_is_theirs_alone(path: str, tmp_path: Path) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        async with session.get(r.url + path, headers={"Accept": "text/html"}) as response:
            assert response.status == 200
            text, headers = await response.text(), response.headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert {"frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"} <= set(policy.split("; "))
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Permissions-Policy" in headers
        if "html" in headers["Content-Type"]:
            assert "<style" not in text
            assert " style=" not in text
            assert "<script>" not in text
            assert " onclick" not in text


async def test_the_applications_own_pages_are_let_in(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert (await send(r, "GET", "/api/ui/settings", Origin=r.url, Sec_Fetch_Site="same-origin"))[0] == 200
