from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest

from mlxr.http.openai.chat_stream import ChatChunks
from mlxr.runtime.messages.catalogue import EngineInfo
from mlxr.runtime.messages.common import DiskUse
from mlxr.runtime.messages.frontend import Catalog, EngineStats
from tests.http.rig import ENGINE, ENTRY, ask, embedded, rig


async def test_an_unknown_route_is_a_json_404(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body, _ = await ask(r, "GET", "/v1/nothing")
        assert (status, body["error"]["code"]) == (404, "not_found")


async def test_a_wrong_method_is_a_json_405_that_names_the_right_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body, headers = await ask(r, "GET", "/v1/chat/completions")
        assert (status, headers["Allow"]) == (405, "POST")
        assert "takes POST, not GET" in body["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/tiny", "/metrics", "/openapi.json", "/api/ui/models"])
async def test_what_is_read_can_be_looked_for(tmp_path: Path, path: str) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        async with session.head(r.url + path) as response:
            assert (response.status, await response.read()) == (200, b"")
            assert int(response.headers["Content-Length"]) > 0
        async with session.get(r.url + path) as response:
            assert response.status == 200


async def test_a_body_over_the_limit_is_a_json_413_that_names_the_setting(tmp_path: Path) -> None:
    async with rig(tmp_path, max_body_bytes=1000) as r:
        status, body, _ = await ask(r, "POST", "/v1/completions", data=b" " * 2000)
        assert status == 413
        assert "server.max_body_bytes" in body["error"]["message"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"model": "tiny", "prompt": "\xff"}', b"[" * 100_000])
async def test_a_body_that_is_no_request_is_a_json_400(tmp_path: Path, data: bytes) -> None:
    async with rig(tmp_path) as r:
        status, body, _ = await ask(r, "POST", "/v1/completions", data=data)
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")


async def test_a_mistake_of_ours_is_a_json_500_that_asks_not_to_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as r:
        monkeypatch.setattr(r.actor.gateway, "models", lambda: 1 / 0)
        status, body, headers = await ask(r, "GET", "/v1/models")
        assert (status, headers["x-should-retry"]) == (500, "false")
        assert "division" not in body["error"]["message"]


async def test_health_is_503_with_progress_until_an_engine_is_ready(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([], [])) as r:
        loading = EngineInfo("tiny-1", "tiny", "loading", 0.25, "weights")
        r.tell(Catalog([ENTRY], [loading]))
        await r.until(r.actor.gateway.engines)
        status, body, headers = await ask(r, "GET", "/health")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert body == {"status": "loading", "model": "tiny", "stage": "weights", "progress": 0.25}
        r.tell(Catalog([ENTRY], [ENGINE]))
        await r.until(lambda: r.actor.gateway.health() is None)
        assert (await ask(r, "GET", "/health"))[:2] == (200, {"status": "ok"})


async def test_metrics_show_requests_and_engines_to_prometheus(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await ask(r, "POST", "/v1/completions", json={"model": "tiny", "prompt": "a"})
        disk = DiskUse(kept_bytes=3000, quota=9000, writable=True, written_bytes=2000, read_bytes=500, hits=4)
        r.tell(EngineStats("tiny-1", 1, 2, 30, 40, 100, 5, 6, 7, 8, 9, 1, disk=disk))
        await r.until(r.actor.gateway.stats)
        _, text, headers = await ask(r, "GET", "/metrics")
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert 'mlxr_requests_total{outcome="finished",surface="openai"} 1.0' in text
        assert 'mlxr_pages{engine="tiny-1",state="free"} 30.0' in text
        assert "mlxr_ttft_seconds_count 1.0" in text
        assert "mlxr_completion_tokens_total 3.0" in text
        assert 'mlxr_disk_kept_bytes{engine="tiny-1"} 3000.0' in text
        assert 'mlxr_disk_written_bytes_total{engine="tiny-1"} 2000.0' in text
        assert 'mlxr_disk_hits_total{engine="tiny-1"} 4.0' in text


async def test_the_root_greets_ollamas_clients(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert (await ask(r, "GET", "/"))[:2] == (200, "Ollama is running")
        assert (await ask(r, "HEAD", "/"))[0] == 200


async def test_a_mistake_of_ours_in_mid_stream_ends_the_stream_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as r:
        monkeypatch.setattr(ChatChunks, "end", lambda self, stream: 1 / 0)
        body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        _, text, _ = await ask(r, "POST", "/v1/chat/completions", json=body)
        assert json.loads(text.strip().rpartition("data: ")[2])["error"]["code"] == "internal_error"


@pytest.mark.parametrize("base", ["/v1", ""])
async def test_openais_routes_are_found_without_their_version_too(tmp_path: Path, base: str) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        assert (await ask(r, "GET", base + "/models"))[1]["data"][0]["id"] == "tiny"
        hi = [{"role": "user", "content": "Hi"}]
        bodies = {
            "/chat/completions": {"messages": hi},
            "/completions": {"prompt": "Hi"},
            "/embeddings": {"input": "Hi"},
            "/responses": {"input": "Hi"},
        }
        for path, body in bodies.items():
            status, answer, _ = await ask(r, "POST", base + path, json=body)
            assert (status, answer["model"]) == (200, "tiny")


async def test_a_server_without_models_is_healthy_and_says_what_to_pull(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([], [])) as runtime, aiohttp.ClientSession(runtime.url) as session:
        await runtime.until(lambda: runtime.actor.gateway.catalog._first.is_set())
        async with session.get("/health") as response:
            assert response.status == 200
            body = await response.json()
        assert body["status"] == "ok"
        assert "mlxr pull" in body["note"]
