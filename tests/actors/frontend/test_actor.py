from __future__ import annotations

import json
import os
from pathlib import Path

import aiohttp
import anyio
import pytest
from msgspec.structs import replace

import mlxr
from mlxr.actors.frontend.actor import EPOCH_BITS
from mlxr.actors.frontend.gateway import SHUTTING_DOWN
from mlxr.runtime.errors import StartError
from mlxr.runtime.messages.catalogue import EngineInfo
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, sequence_id
from mlxr.runtime.messages.frontend import Catalog, Delta, Deltas, Drain, EngineLost, Failed, RegistryReply, Started
from mlxr.runtime.messages.registry import CancelCommand, LoadModel, SendCatalog, TouchModel
from mlxr.runtime.messages.supervisor import Drained
from mlxr.runtime.messages.tokenizer import Cancel, Generate, PromptPart
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import read_addresses
from mlxr.runtime.telemetry import Telemetry
from tests.http.rig import ENGINE, ENTRY, Rig, hello, loads, rig, words

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


async def post(r: Rig, path: str = "/v1/chat/completions", body: object = CHAT) -> tuple[int, dict]:
    async with aiohttp.ClientSession() as session, session.post(r.url + path, json=body) as response:
        return response.status, await response.json()


def outcomes(r: Rig) -> dict[str, int]:
    return {outcome: count for (_, outcome), count in r.actor.gateway._metrics.requests.items()}


def half_an_answer(command: Generate) -> list:
    return [Started(command.request, 5), Deltas([Delta(command.request, text="half", tokens=1)])]


async def test_a_request_for_a_loaded_model_goes_to_its_tokenizer_and_is_touched_before_and_after(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r)
        assert status == 200
        assert body["choices"][0]["message"]["content"] == "Hello wörld"
        await r.until(lambda: len(r.got(TouchModel)) == 2)
        assert [touch.active for touch in r.got(TouchModel)] == [1, 0]
        assert outcomes(r) == {"finished": 1}


LONG = {**CHAT, "messages": [{"role": "user", "content": "word " * 180_000}]}
WIDE = Catalog([replace(ENTRY, info=replace(ENTRY.info, context_length=131_072))], [ENGINE])


async def test_a_long_prompt_is_sent_in_parts_between_which_others_have_their_turn(tmp_path: Path) -> None:
    async with rig(tmp_path, WIDE) as r:
        told, tell, seen = [], r.actor.gateway._tell, []
        r.actor.gateway._tell = lambda address, message: (told.append(message), tell(address, message))
        r.on_part = lambda part: seen.append(len(told))
        assert (await post(r, body=LONG))[0] == 200
        (command,), parts = r.got(Generate), r.got(PromptPart)
        assert command.parts == len(parts) > 10
        assert {part.request for part in parts} == {command.request}
        assert max(ahead - place for place, ahead in enumerate(seen)) < 5


async def test_a_client_that_leaves_while_its_prompt_is_sent_takes_the_parts_back(tmp_path: Path) -> None:
    async with rig(tmp_path, WIDE) as r:
        r.on_generate = lambda command: []
        with anyio.CancelScope() as leaving:
            r.on_part = lambda part: leaving.cancel()
            await post(r, body=LONG)
        await r.until(lambda: r.got(Cancel))
        assert [cancel.request for cancel in r.got(Cancel)] == [r.got(PromptPart)[0].request]


async def test_a_request_that_fails_while_its_prompt_is_sent_takes_the_parts_back(tmp_path: Path) -> None:
    async with rig(tmp_path, WIDE) as r:
        error = ErrorInfo(ErrorCode.ENGINE_FAILED, "the scheduler is gone")
        r.on_part = lambda part: r.tell(EngineLost(ENGINE.engine, error))
        assert (await post(r, body=LONG))[0] == 500
        await r.until(lambda: r.got(Cancel))
        assert [cancel.request for cancel in r.got(Cancel)] == [r.got(PromptPart)[0].request]
        assert r.got(Generate) == []


async def test_an_unloaded_model_is_loaded_first_and_the_request_waits_for_it(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([ENTRY], [])) as r:
        r.on_registry = loads
        status, _ = await post(r, body={**CHAT, "keep_alive": "5m"})
        assert status == 200
        (load,) = r.got(LoadModel)
        assert load.keep_alive == 300
        assert load.request != r.got(Generate)[0].request


async def test_a_load_that_fails_fails_the_request_with_the_registrys_reason(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([ENTRY], [])) as r:
        error = ErrorInfo(ErrorCode.MODEL_FAILED, "tiny.gguf at byte 12: truncated")
        r.on_registry = lambda m: [RegistryReply(m.request, last=True, error=error)] if isinstance(m, LoadModel) else []
        status, body = await post(r)
        assert status == 500
        assert body["error"]["message"] == "tiny.gguf at byte 12: truncated"
        assert r.got(Generate) == []
        assert outcomes(r) == {"failed": 1}


async def test_a_client_that_leaves_while_its_model_loads_cancels_the_wait(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([ENTRY], [])) as r:
        async with aiohttp.ClientSession() as session:
            with anyio.move_on_after(0.1):
                await session.post(r.url + "/v1/chat/completions", json=CHAT)
        await r.until(lambda: r.got(CancelCommand))
        assert r.got(CancelCommand)[0].request == r.got(LoadModel)[0].request
        assert outcomes(r) == {"cancelled": 1}


async def test_an_unknown_model_is_a_404_and_bothers_nobody(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r, body={**CHAT, "model": "nobody"})
        assert status == 404
        assert body["error"]["code"] == "model_not_found"
        assert "nobody" in body["error"]["message"]
        assert r.got(LoadModel) == r.got(Generate) == []


PULLED = EngineInfo("", "Tiny", "loading", 0.24, "pulling tiny")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {"messages": CHAT["messages"]}),
        ("/v1/completions", {"model": "tiny:latest", "prompt": "a"}),
        ("/v1/responses", {"model": "tiny", "input": "a"}),
        ("/v1/embeddings", {"model": "tiny", "input": "a"}),
        ("/v1/messages", {**CHAT, "max_tokens": 5}),
        ("/api/chat", CHAT),
        ("/api/generate", {"model": "tiny", "prompt": "a"}),
        ("/api/embed", {"model": "tiny", "input": "a"}),
        ("/tokenize", {"prompt": "a"}),
    ],
)
async def test_a_model_that_is_being_pulled_is_a_503_that_says_how_far_it_is(
    tmp_path: Path, path: str, body: object
) -> None:
    async with rig(tmp_path, Catalog([], [PULLED])) as r, aiohttp.ClientSession() as session:
        async with session.post(r.url + path, json=body) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            assert "being pulled (24%)" in await response.text()
        async with session.post(r.url + path, json={**body, "model": "other"}) as response:  # type: ignore[dict-item]
            assert response.status == 404


async def test_a_model_that_could_not_be_pulled_is_not_found_for_that_reason(tmp_path: Path) -> None:
    failed = EngineInfo("", "tiny", "failed", error="the package index did not answer")
    async with rig(tmp_path, Catalog([], [failed])) as r:
        status, body = await post(r)
        assert status == 404
        assert body["error"]["message"] == "model 'tiny' not found: the package index did not answer"


async def test_a_request_before_the_first_catalogue_waits_for_it(tmp_path: Path) -> None:
    async with rig(tmp_path, told=False) as r, anyio.create_task_group() as tasks:

        async def ask() -> None:
            assert (await post(r))[0] == 200

        tasks.start_soon(ask)
        async with aiohttp.ClientSession() as session, session.get(r.url + "/health") as response:
            assert response.status == 503
        r.tell(Catalog([ENTRY], [ENGINE]))


async def test_a_catalogue_that_does_not_come_is_a_503_to_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlxr.actors.frontend.catalog.STARTING_SECONDS", 0.01)
    async with (
        rig(tmp_path, told=False) as r,
        aiohttp.ClientSession() as session,
        session.post(r.url + "/v1/chat/completions", json=CHAT) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "starting" in (await response.json())["error"]["message"]


async def test_a_client_that_leaves_in_mid_stream_cancels_its_request_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = half_an_answer
        async with aiohttp.ClientSession() as session:
            response = await session.post(r.url + "/v1/chat/completions", json={**CHAT, "stream": True})
            assert b"assistant" in await response.content.readany()
            response.close()
            await r.until(lambda: r.got(Cancel))
            # What is sent behind it goes the same way: a second cancellation would have come before.
            r.on_generate = hello
            async with session.post(r.url + "/v1/chat/completions", json=CHAT) as later:
                assert later.status == 200
        assert [cancel.request for cancel in r.got(Cancel)] == [r.got(Generate)[0].request]
        assert outcomes(r) == {"cancelled": 1, "finished": 1}


async def test_a_client_that_leaves_before_the_prompt_is_queued_cancels_its_request(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: []
        async with aiohttp.ClientSession() as session:
            with anyio.move_on_after(0.1):
                await session.post(r.url + "/v1/chat/completions", json=CHAT)
        await r.until(lambda: r.got(Cancel))
        assert outcomes(r) == {"cancelled": 1}


async def test_a_lost_engine_fails_its_streams_in_the_stream(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = half_an_answer
        async with aiohttp.ClientSession() as session:
            response = await session.post(r.url + "/v1/chat/completions", json={**CHAT, "stream": True})
            await response.content.readany()
            r.tell(EngineLost(ENGINE.engine, ErrorInfo(ErrorCode.ENGINE_FAILED, "the scheduler is gone")))
            rest = await response.content.read()
        error = json.loads(rest.decode().strip().removeprefix("data: "))
        assert error["error"]["message"] == "the scheduler is gone"
        assert outcomes(r) == {"failed": 1}


async def test_an_engine_missing_from_the_catalogue_fails_its_streams(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: [Started(command.request, 5), Catalog([ENTRY], [])]
        status, body = await post(r)
        assert status == 500
        assert ENGINE.engine in body["error"]["message"]


async def test_answers_after_the_outcome_are_ignored(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        error = ErrorInfo(ErrorCode.CONTEXT_LENGTH, "too long", "messages")
        r.on_generate = lambda c: [Failed(c.request, error), Failed(c.request, error), *half_an_answer(c)]
        status, body = await post(r)
        assert (status, body["error"]["code"], body["error"]["param"]) == (400, "context_length_exceeded", "messages")
        assert outcomes(r) == {"failed": 1}


async def test_only_who_is_in_flight_is_drained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with rig(tmp_path) as r:
        with caplog.at_level("INFO", "mlxr"):
            r.tell(Drain())
            await r.until(lambda: r.got(Drained))
        assert "draining" not in caplog.text


async def test_every_response_names_the_server_by_its_own_name(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        for path in ("/health", "/v1/models", "/nothing", "/v1/chat/completions", "/docs"):
            async with session.get(r.url + path) as response:
                assert response.headers.getall("Server") == [f"mlxr/{mlxr.__version__}"]
        async with session.post(r.url + "/v1/chat/completions", json={**CHAT, "stream": True}) as response:
            assert response.headers["Server"] == f"mlxr/{mlxr.__version__}"


async def test_a_server_notes_where_it_listens(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert read_addresses(tmp_path) == [r.url]


async def test_a_host_that_is_none_is_mended_by_the_host(tmp_path: Path) -> None:
    for host in ("no.such.host.invalid", "203.0.113.77"):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with rig(tmp_path, host=host, api_keys=["k"]):
                pass
        assert "(--host, MLXR_SERVER_HOST)" in str(only(caught.value))


def only(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def test_draining_refuses_new_requests_finishes_running_ones_and_reports(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = half_an_answer
        async with aiohttp.ClientSession() as session:
            running = await session.post(
                r.url + "/v1/completions", json={"model": "tiny", "prompt": "a", "stream": True}
            )
            kept = await session.get(r.url + "/health")
            await kept.read()
            r.tell(Drain())
            await r.until(lambda: not r.actor.gateway.accepting())
            refused = await session.post(r.url + "/v1/chat/completions", json=CHAT)
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "5"
            r.tell(*words(r.got(Generate)[0], " and half")[1:])
            assert b"[DONE]" in await running.content.read()
        await r.until(lambda: r.got(Drained))
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(r.url + "/health")


async def test_what_outlasts_the_drain_fails_with_the_reason(tmp_path: Path) -> None:
    async with rig(tmp_path, drain_seconds=0.05) as r:
        r.on_generate = half_an_answer
        async with aiohttp.ClientSession() as session:
            running = await session.post(r.url + "/v1/chat/completions", json={**CHAT, "stream": True})
            r.tell(Drain())
            assert SHUTTING_DOWN.message in (await running.content.read()).decode()
        await r.until(lambda: r.got(Drained))


async def test_a_taken_port_is_reported_with_the_setting_to_change(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        port = int(r.url.rpartition(":")[2])
        (tmp_path / "second").mkdir()
        with pytest.raises(BaseExceptionGroup) as raised:
            async with rig(tmp_path / "second", port=port):
                pass
        (error,) = raised.value.exceptions
        assert isinstance(error, StartError)
        assert f"port {port}" in str(error)
        assert "server.port (--port, MLXR_SERVER_PORT)" in str(error)


async def test_telemetry_shows_each_request_once_with_its_outcome(tmp_path: Path) -> None:
    events: list[dict] = []

    class Sink:
        def wants(self, topic: str) -> bool:
            return topic == "requests"

        def publish(self, topic: str, body: bytes) -> None:
            events.append(json.loads(body))

    async with rig(tmp_path, telemetry=Telemetry(Sink())) as r:
        await post(r)
        await post(r, body={**CHAT, "model": "nobody"})
        await r.until(lambda: len(events) == 7)
    assert [event["event"] for event in events if event["request"] == events[0]["request"]] == [
        "RequestReceived",
        "RequestSubmitted",
        "RequestQueued",
        "FirstToken",
        "RequestEnded",
    ]
    received, _, _, _, ended, _, failed = events
    assert (received["route"], received["caller"]) == ("POST /v1/chat/completions", "127.0.0.1")
    assert (received["event"], received["model"], received["surface"]) == ("RequestReceived", "tiny", "openai")
    assert (ended["event"], ended["outcome"], ended["request"]) == ("RequestEnded", "finished", received["request"])
    assert (ended["prompt_tokens"], ended["completion_tokens"], ended["cached_tokens"]) == (5, 3, 2)
    assert 0 < ended["ttft_seconds"] <= ended["seconds"]
    assert (failed["outcome"], "nobody" in failed["error"]) == ("failed", True)


async def test_a_restarted_frontend_numbers_its_requests_apart(tmp_path: Path) -> None:
    async with rig(tmp_path, epoch=1) as r:
        await post(r)
        assert r.got(Generate)[0].request > 1 << EPOCH_BITS
        assert sequence_id(r.got(Generate)[0].request, 127) < 1 << 63


def write_long_ago(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))


async def test_a_change_of_the_catalogue_is_known_to_the_next_request(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    write_long_ago(home.database, b"1")
    async with rig(tmp_path, Catalog([ENTRY], [ENGINE], home.stamp())) as runtime:
        answers: list[list[str]] = []

        async def ask() -> None:
            async with aiohttp.ClientSession(runtime.url) as session, session.get("/v1/models") as response:
                answers.append([model["id"] for model in (await response.json())["data"]])

        await ask()
        assert runtime.got(SendCatalog) == [SendCatalog()]
        write_long_ago(home.database, b"12")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await runtime.until(lambda: runtime.got(SendCatalog)[1:])
            runtime.tell(Catalog([ENTRY], [ENGINE], home.stamp()))
            runtime.tell(Catalog([], [], home.stamp(), runtime.got(SendCatalog)[-1].ticket))
        await ask()
        assert answers == [["tiny"], [], []]
        assert len(runtime.got(SendCatalog)) == 2
