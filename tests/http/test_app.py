from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from mlxr.http.openai.chat_stream import ChatChunks
from mlxr.runtime.messages.frontend import Catalog, EngineInfo, EngineStats, RegistryReply
from mlxr.runtime.messages.registry import ShowModel
from tests.http.rig import EMBEDDER, ENGINE, ENTRY, Rig, embedded, rig


async def ask(r: Rig, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, r.url + path, **options) as response:
        text = await response.text()
        body = await response.json() if response.content_type == "application/json" and text else text
        return response.status, body, response.headers


async def test_an_unknown_route_is_a_json_404(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body, _ = await ask(r, "GET", "/v1/nothing")
        assert (status, body["error"]["code"]) == (404, "not_found")


async def test_a_wrong_method_is_a_json_405_that_names_the_right_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body, headers = await ask(r, "GET", "/v1/chat/completions")
        assert (status, headers["Allow"]) == (405, "POST")
        assert "takes POST, not GET" in body["error"]["message"]


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
        r.tell(EngineStats("tiny-1", 1, 2, 30, 40, 100, 5, 6, 7, 8, 9, 1))
        await r.until(r.actor.gateway.stats)
        _, text, headers = await ask(r, "GET", "/metrics")
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert 'mlxr_requests_total{outcome="finished",surface="openai"} 1.0' in text
        assert 'mlxr_pages{engine="tiny-1",state="free"} 30.0' in text
        assert "mlxr_ttft_seconds_count 1.0" in text
        assert "mlxr_completion_tokens_total 3.0" in text


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


async def test_tokens_of_texts_and_conversations_and_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        wanted = {"model": "tiny", "prompt": "ab", "return_token_strs": True}
        _, body, _ = await ask(r, "POST", "/tokenize", json=wanted)
        assert body == {"count": 2, "max_model_len": 2048, "tokens": [97, 98], "token_strs": ["a", "b"]}
        _, body, _ = await ask(
            r, "POST", "/tokenize", json={"model": "tiny", "messages": [{"role": "user", "content": "x"}]}
        )
        assert body["tokens"] == [120]
        _, body, _ = await ask(r, "POST", "/detokenize", json={"model": "tiny", "tokens": [97, 98]})
        assert body == {"prompt": "ab", "content": "ab"}
        _, body, _ = await ask(r, "POST", "/tokenize", json={"content": "ab"})
        assert (body["tokens"], body["token_strs"]) == ([97, 98], None)
        for too_few_or_many in ({}, {"prompt": "a", "content": "a"}):
            assert (await ask(r, "POST", "/tokenize", json={"model": "tiny", **too_few_or_many}))[0] == 400
        info = b'{"model_info": {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.eos_token_id": 101, "a": 1}}'
        r.on_registry = lambda message: (
            [RegistryReply(message.request, last=True, body=info)] if isinstance(message, ShowModel) else []
        )
        _, body, _ = await ask(r, "GET", "/tokenizer_info")
        assert (body["model"], body["ggml.model"], body["chat_template"]) == ("tiny", "gpt2", "{{ messages }}")
        assert body["eos_token"] == "e"
        assert "bos_token" not in body
        assert "a" not in body


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


async def test_tokens_are_asked_of_the_loaded_model_where_none_is_named(tmp_path: Path) -> None:
    newer = [msgspec.structs.replace(EMBEDDER, name="e"), msgspec.structs.replace(ENTRY, name="n", aliases=[])]
    newer = [msgspec.structs.replace(entry, modified=ENTRY.modified + 1) for entry in newer]
    async with rig(tmp_path, catalog=Catalog([*newer, ENTRY], [ENGINE])) as r:
        r.on_other = embedded
        assert (await ask(r, "POST", "/tokenize", json={"prompt": "ab"}))[1]["tokens"] == [97, 98]
        assert (await ask(r, "POST", "/detokenize", json={"tokens": [97]}))[1]["prompt"] == "a"
    async with rig(tmp_path, catalog=Catalog([newer[0]], [])) as r:
        status, body, _ = await ask(r, "POST", "/tokenize", json={"prompt": "ab"})
        assert (status, body["error"]["param"]) == (400, "model")


async def test_documents_are_ordered_by_their_likeness_to_the_query(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        wanted = {
            "model": "tiny",
            "query": "a",
            "documents": ["zz", {"text": "a"}],
            "top_n": 1,
            "return_documents": True,
        }
        _, body, _ = await ask(r, "POST", "/v1/rerank", json=wanted)
        (best,) = body["results"]
        assert (best["index"], best["document"]) == (1, {"text": "a"})
        assert best["relevance_score"] == pytest.approx(1.0)


async def test_a_server_without_models_is_healthy_and_says_what_to_pull(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([], [])) as runtime, aiohttp.ClientSession(runtime.url) as session:
        await runtime.until(lambda: runtime.actor.gateway.catalog._first.is_set())
        async with session.get("/health") as response:
            assert response.status == 200
            body = await response.json()
        assert body["status"] == "ok"
        assert "mlxr pull" in body["note"]
