from __future__ import annotations

import os
import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp.test_utils import make_mocked_request

from mlxr.http.errors import HttpError
from mlxr.http.guard import Guard, Keys, TokenBuckets
from mlxr.http.listeners import listener
from mlxr.http.settings import ServerSettings, check
from mlxr.runtime.errors import ConfigError
from tests.http.rig import Rig, rig
from tests.http.wire import connect, exchange, reply_of
from tests.server import free_port


async def get(r: Rig, path: str = "/v1/models", method: str = "GET", **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, r.url + path, headers=named) as response,
    ):
        return response.status, response.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic right"}, 401),
        ({"Authorization": "Bearer right"}, 200),
        ({"x_api_key": "right"}, 200),
        ({"x_api_key": "other"}, 200),
    ],
)
async def test_a_key_is_asked_for_where_there_are_any(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with rig(tmp_path, api_keys=["right", "other"]) as r:
        assert (await get(r, **headers))[0] == status
        assert (await get(r, "/health"))[0] == 200


def test_keys_are_compared_whole() -> None:
    keys = Keys(["abc"])
    assert keys.admits("abc")
    assert not any(keys.admits(other) for other in ("", "ab", "abcd", "ABC"))


def test_an_open_address_needs_keys_or_a_waiver() -> None:
    with pytest.raises(ConfigError, match=r"server.api_keys.*server.allow_anonymous"):
        check(ServerSettings(host="0.0.0.0"))
    check(ServerSettings(host="0.0.0.0", api_keys=["k"]))
    check(ServerSettings(host="0.0.0.0", allow_anonymous=True))
    check(ServerSettings(host="::1"))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:11435", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("app.localhost", 200),
        ("box.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.", 200),
        ("LOCALHOST:1", 200),
        ("box.example.:80", 200),
        ("[::1]", 200),
        ("[::ffff:8.8.8.8]", 403),
        ("127.9.9.9", 200),
        ("192.168.1.7", 403),
        ("[fe80::1]", 403),
        ("printer.local", 403),
        ("box.internal", 403),
        ("host.docker.internal", 403),
        ("evil.example@localhost", 403),
        ("localhost@evil.example", 403),
        ("localhost/.evil.example", 403),
        ("localhost:80:80", 403),
        ("localhost evil.example", 403),
        (".localhost.evil.example", 403),
        (".", 403),
        ("localhost.evil.example", 403),
        ("[", 403),
    ],
)
async def test_a_loopback_server_answers_to_local_names_only(tmp_path: Path, host: str, status: int) -> None:
    async with rig(tmp_path, allowed_hosts=["box.example"]) as r:
        assert (await get(r, Host=host))[0] == status


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("http://localhost", True),
        ("http://[::1]:3000", True),
        ("app://obsidian.md", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
async def test_pages_of_listed_origins_are_let_in(tmp_path: Path, origin: str, allowed: bool) -> None:
    async with rig(tmp_path) as r:
        status, headers = await get(r, Origin=origin)
        assert status == (200 if allowed else 403)
        assert headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert headers.get("Access-Control-Expose-Headers") == ("*" if allowed else None)
        wanted = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-stainless-lang"}
        status, headers = await get(r, "/v1/chat/completions", "OPTIONS", Origin=origin, **wanted)
        assert status == (204 if allowed else 403)
        assert headers.get("Access-Control-Allow-Headers") == ("x-stainless-lang" if allowed else None)


async def test_too_many_requests_with_one_key_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["a", "b"], requests_per_minute=2) as r:
        assert [(await get(r, x_api_key="a"))[0] for _ in range(3)] == [200, 200, 429]
        assert (await get(r, x_api_key="a"))[1]["Retry-After"] == "30"
        assert (await get(r, x_api_key="b"))[0] == 200


def test_a_caller_gets_its_rate_back_with_time() -> None:
    now = 0.0
    rates = TokenBuckets(60, lambda: now)
    assert [rates.wait("a") for _ in range(61)] == [0.0] * 60 + [1.0]
    now = 2.5
    assert [rates.wait("a") for _ in range(3)] == [0.0, 0.0, 0.5]


async def test_errors_of_the_guard_have_the_surfaces_shape(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["k"]) as r, aiohttp.ClientSession() as session:
        for path, keys in (("/v1/models", {"error"}), ("/api/tags", {"error"}), ("/v1/messages", {"type", "error"})):
            async with session.get(r.url + path) as response:
                body = await response.json()
                assert set(body) >= keys
                assert isinstance(body["error"], str) == path.startswith("/api/")


async def test_a_unix_socket_is_its_owners_alone_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "mlxr.sock"
    async with rig(tmp_path, unix_socket=str(path)):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get("http://anything/v1/models") as response,
        ):
            assert response.status == 200
    assert not path.exists()


async def test_tls_is_spoken_where_a_certificate_is_given(tmp_path: Path) -> None:
    certificate, key = await certified(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with rig(tmp_path, tls_certificate=str(certificate), tls_key=str(key)) as r, aiohttp.ClientSession() as c:
        assert r.url.startswith("https://")
        async with c.get(r.url + "/v1/models", ssl=trusting) as response:
            assert response.status == 200


def test_half_of_a_tls_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"server\.tls_key is empty"):
        check(ServerSettings(tls_certificate="c.pem"))


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("192.168.1.7:11435", True),
        ("[fe80::1]", True),
        ("127.0.0.1", True),
        ("localhost", True),
        (socket.gethostname(), True),
        ("box.example", True),
        ("evil.example", False),
        ("192.168.1.7.evil.example", False),
        ("1.2.3.4.5", False),
        ("evil.local", False),
    ],
)
def test_an_open_server_without_keys_answers_to_addresses_and_its_own_names(host: str, known: bool) -> None:
    guard = Guard(ServerSettings(host="0.0.0.0", allow_anonymous=True, allowed_hosts=["box.example"]))
    assert lets_in(guard, host) == known


def test_a_server_with_keys_is_reached_by_any_name() -> None:
    assert lets_in(Guard(ServerSettings(host="0.0.0.0", api_keys=["k"])), "box.example")


def lets_in(guard: Guard, host: str) -> bool:
    try:
        guard.check_host(make_mocked_request("GET", "/v1/models", headers={"Host": host}))
    except HttpError as error:
        return error.problem.status != 403
    return True


async def test_a_target_with_a_host_of_its_own_is_looked_at_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for target, status in (("http://evil.example/v1/models", 403), ("http://localhost/v1/models", 200)):
            ask = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            assert reply_of(await exchange(r, ask.encode()))[0] == status
        twice = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert reply_of(await exchange(r, twice))[0] in (400, 403)


async def test_forwarding_headers_change_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, requests_per_minute=1) as r:
        assert (await get(r, Host="evil.example", X_Forwarded_Host="localhost"))[0] == 403
        assert (await get(r, X_Forwarded_For="1.1.1.1"))[0] == 200
        assert (await get(r, X_Forwarded_For="2.2.2.2", Forwarded="for=3.3.3.3"))[0] == 429


async def test_wrong_keys_are_counted_by_address(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["a", "b"], requests_per_minute=3) as r:
        assert (await get(r, x_api_key="a"))[0] == 200
        assert [(await get(r, x_api_key=f"wrong{n}"))[0] for n in range(5)] == [401, 401, 401, 429, 429]
        # A guess that is right is told nothing now; who was let in before still is.
        status, headers = await get(r, x_api_key="b")
        assert (status, int(headers["Retry-After"]) > 10) == (429, True)
        assert (await get(r, x_api_key="a"))[0] == 200
        assert (await get(r))[0] == 401


async def test_wrong_keys_are_counted_where_no_rate_is_set(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["a"]) as r:
        made = [(await get(r, Authorization=f"Bearer {n}"))[0] for n in range(40)]
        assert made[:30] == [401] * 30
        assert 429 in made[30:]


def test_a_star_behind_a_colon_stands_for_a_port_only() -> None:
    guard = Guard(ServerSettings())
    assert guard.allows_origin("http://localhost:3000")
    assert not guard.allows_origin("http://localhost:3000.evil.example")
    assert not guard.allows_origin("http://localhost:@evil.example")
    assert not guard.allows_origin("http://localhost:")


async def test_the_second_port_speaks_tls_too(tmp_path: Path) -> None:
    certificate, key = await certified(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    second = free_port()
    async with (
        rig(tmp_path, tls_certificate=str(certificate), tls_key=str(key), ollama_port=second) as r,
        aiohttp.ClientSession() as session,
    ):
        assert r.actor.addresses[1] == f"https://127.0.0.1:{second}"
        async with session.get(f"https://127.0.0.1:{second}/api/version", ssl=trusting) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://127.0.0.1:{second}/api/version")


async def test_who_greets_and_says_no_more_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.1)
    certificate, key = await certified(tmp_path)
    tls = {"tls_certificate": str(certificate), "tls_key": str(key)}
    async with rig(tmp_path, **tls) as r, await connect(r), await connect(r) as plain:
        await plain.send(b"GET / HTTP/1.1\r\n\r\n")
        await r.until(lambda: not r.server._slots._taken)


async def certified(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    certificate, key = directory / "c.pem", directory / "k.pem"
    await anyio.run_process(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
    )  # fmt: skip
    return certificate, key
