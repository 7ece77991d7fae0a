"""``/api/ui``'s metrics, requests, logs and actors by real sockets: a real monitor beside a frontend whose engine is
scripted."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest

from mlxr.actors.monitor.actor import MonitorActor
from mlxr.actors.monitor.settings import MonitorSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.logs import TelemetryHandler
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import Delta, Deltas, Started
from mlxr.runtime.messages.monitor import ExecutorKilled
from mlxr.runtime.messages.supervisor import KillActor
from mlxr.runtime.messages.tokenizer import Cancel, Generate
from mlxr.runtime.run_directory import TELEMETRY
from mlxr.runtime.telemetry import ActorStarted, Telemetry
from tests.http.rig import Rig, ask, rig

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "a secret of mine"}], "max_tokens": 9, "stream": True}
MONITOR = Address("monitor")


@asynccontextmanager
async def watched(directory: Path, developer: bool = False, **settings: Any) -> AsyncIterator[Rig]:
    """A rig with a monitor that reads its telemetry."""
    bus = Bus(directory, lambda address: True)
    publisher = bus.publisher()
    (directory / TELEMETRY).write_text(publisher.bind(f"ipc://{directory}/t.sock"))
    (directory / "home").mkdir()
    telemetry = Telemetry(publisher)
    handler = TelemetryHandler(telemetry)
    logging.getLogger("mlxr").addHandler(handler)
    try:
        async with rig(directory, telemetry=telemetry, **settings) as made:
            inbox = made.bus.inbox(MONITOR, INBOXES["monitor"])
            given = msgspec.json.encode(MonitorSettings(str(directory / "home"), developer))
            actor = MonitorActor(Context(MONITOR, made.bus, telemetry, directory, given))
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(actor.run, inbox)
                    await made.until(lambda: telemetry.wants("requests"))
                    yield made
                    tasks.cancel_scope.cancel()
            finally:
                inbox.close()
    finally:
        logging.getLogger("mlxr").removeHandler(handler)
        publisher.close()
        bus.close()


class Feed:
    """Reads server-sent events: ``events`` so far, each with its id, name and data."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.events: list[tuple[int, str, Any]] = []

    async def read(self) -> None:
        fields: dict[str, str] = {}
        async for raw in self.response.content:
            line = raw.decode().rstrip("\n")
            if not line and "data" in fields:
                self.events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
            if not line:
                fields = {}
            name, _, value = line.partition(": ")
            fields[name] = value

    def rows(self) -> dict[int, dict[str, Any]]:
        """The requests as last told."""
        return {row["id"]: row for _, name, body in self.events if name == "requests" for row in body["requests"]}


@asynccontextmanager
async def following(r: Rig, path: str, last: int | None = None) -> AsyncIterator[Feed]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with aiohttp.ClientSession() as session, session.get(r.url + path, headers=headers) as response:
        assert response.content_type == "text/event-stream"
        feed = Feed(response)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.read)
            yield feed
            tasks.cancel_scope.cancel()


async def chat(r: Rig, **fields: Any) -> str:
    _, said, _ = await ask(r, "POST", "/v1/chat/completions", json={**CHAT, **fields})
    return json.dumps(said)


async def until_told(r: Rig, path: str, name: str) -> Any:
    """What ``path`` tells, once its list ``name`` has something in it."""
    with anyio.fail_after(20):
        while True:
            _, told, _ = await ask(r, "GET", path)
            if told[name]:
                return told
            await anyio.sleep(0.05)


async def test_a_requests_timeline_is_told_as_it_happens_without_what_the_client_wrote(tmp_path: Path) -> None:
    async with watched(tmp_path) as r, following(r, "/api/ui/requests/events") as feed:
        await r.until(lambda: feed.events)
        assert feed.events[0][1] == "reset"
        await chat(r)
        await r.until(lambda: [row for row in feed.rows().values() if row["state"] == "finished"])
        (row,) = feed.rows().values()
        times = [row[name] for name in ("received", "submitted", "queued", "first_token", "ended")]
        assert times == sorted(times)
        assert (row["route"], row["surface"], row["model"]) == ("POST /v1/chat/completions", "openai", "tiny")
        assert (row["prompt_tokens"], row["completion_tokens"], row["finish"]) == (5, 3, "stop")
        assert row["parameters"]["max_tokens"] == 9
        status, listed, _ = await ask(r, "GET", "/api/ui/requests")
        assert (status, listed["requests"]) == (200, [row])
        assert "secret" not in json.dumps(listed)


async def test_who_comes_again_is_told_what_happened_meanwhile_and_no_more(tmp_path: Path) -> None:
    async with watched(tmp_path) as r:
        await chat(r)
        async with following(r, "/api/ui/requests/events") as feed:
            await r.until(lambda: [row for row in feed.rows().values() if row["state"] == "finished"])
            last, first = feed.events[-1][0], {*feed.rows()}
        await chat(r)
        async with following(r, "/api/ui/requests/events", last) as feed:
            await r.until(lambda: [row for row in feed.rows().values() if row["state"] == "finished"])
            assert "reset" not in {name for _, name, _ in feed.events}
            assert not first & {*feed.rows()}


def endless(command: Generate) -> Iterable[Message]:
    return [Started(command.request, 5), Deltas([Delta(command.request, 0, "Once", tokens=1)])]


@pytest.mark.parametrize("streams", [True, False])
async def test_a_cancelled_request_stops_at_its_engine_and_its_client_gets_one_outcome(
    tmp_path: Path, streams: bool
) -> None:
    async with watched(tmp_path) as r:
        r.on_generate = endless
        answers: list[str] = []
        async with anyio.create_task_group() as tasks:

            async def ask_for_a_story() -> None:
                answers.append(await chat(r, stream=streams))

            tasks.start_soon(ask_for_a_story)
            await r.until(lambda: r.got(Generate))
            number = r.got(Generate)[0].request
            status, body, _ = await ask(r, "POST", f"/api/ui/requests/{number}/cancel", json={})
            assert (status, body) == (200, {"id": number})
        assert [message.request for message in r.got(Cancel)] == [number]
        assert answers[0].count("was cancelled by somebody who watches this server") == 1
        again, said, _ = await ask(r, "POST", f"/api/ui/requests/{number}/cancel", json={})
        assert (again, said["code"]) == (404, "not_found")
        async with following(r, "/api/ui/requests/events") as feed:
            await r.until(lambda: feed.rows().get(number, {}).get("ended"))
            assert (feed.rows()[number]["state"], feed.rows()[number]["code"]) == ("cancelled", "cancelled")


async def test_metrics_move_while_something_is_answered_and_are_followed_from_where_the_history_ends(
    tmp_path: Path,
) -> None:
    async with watched(tmp_path) as r:
        await chat(r)
        history = await until_told(r, "/api/ui/metrics", "points")
        async with following(r, "/api/ui/metrics/events", history["last"]) as feed:
            with anyio.fail_after(20):
                while sum(body["decode_rate"] > 0 for _, _, body in feed.events) < 1:
                    await chat(r)
        moving = next(body for _, _, body in feed.events if body["decode_rate"])
        assert feed.events[0][0] >= history["last"]
        assert moving["ttft_p50"] > 0
        assert moving["finished"] >= 1
        assert moving["memory_bytes"] >= 0
        minutes = (await ask(r, "GET", "/api/ui/metrics?resolution=60"))[1]
        assert (minutes["resolution"], len(minutes["points"]) in (1, 2)) == (60, True)


async def test_log_lines_are_filtered_and_followed_and_have_no_secrets(tmp_path: Path) -> None:
    async with watched(tmp_path) as r:
        log = logging.getLogger("mlxr.of_a_test")
        log.warning("one, with hf_abcdefghijklmnop")
        async with following(r, "/api/ui/logs/events?level=error&text=TWO") as feed:
            await r.until(lambda: feed.events)
            log.error("not wanted")
            log.error("two")
            log.warning("two, and no error")
            await r.until(lambda: len(feed.events) == 2)
            assert [name for _, name, _ in feed.events] == ["reset", "line"]
            assert feed.events[1][2]["message"] == "two"
        page = (await ask(r, "GET", "/api/ui/logs?logger=mlxr.of_a_test"))[1]
        texts = [line["message"] for line in page["lines"]]
        assert texts == ["one, with hf_***", "not wanted", "two", "two, and no error"]
        assert "mlxr.of_a_test" in page["loggers"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("metrics?resolution=7", "1, 10, 60"),
        ("metrics/events?resolution=x", "a number"),
        ("requests?limit=501", "from 0 to 500"),
        ("logs?level=loud", "debug, info"),
        ("logs?text=" + "x" * 300, "200 characters"),
        ("logs?before=-1", "a number"),
    ],
)
async def test_what_can_not_be_asked_is_refused_in_words(tmp_path: Path, path: str, says: str) -> None:
    async with watched(tmp_path) as r:
        status, body, _ = await ask(r, "GET", f"/api/ui/{path}")
        assert status == 400
        assert says in body["error"]


async def test_an_executor_is_killed_in_developer_mode_alone(tmp_path: Path) -> None:
    async with watched(tmp_path) as r:
        assert (await ask(r, "GET", "/api/ui/actors"))[1]["developer"] is False
        status, body, _ = await ask(r, "POST", "/api/ui/actors/executor/kill", json={})
        assert (status, "ui.developer" in body["error"]) == (400, True)
        assert not r.got(KillActor)


async def test_in_developer_mode_the_supervisor_is_told_and_its_answer_is_passed_on(tmp_path: Path) -> None:
    async with watched(tmp_path, developer=True) as r:
        async with anyio.create_task_group() as tasks:

            async def supervise() -> None:
                await r.until(lambda: r.got(KillActor))
                (asked,) = r.got(KillActor)
                r.bus.tell(MONITOR, ExecutorKilled(asked.request, asked.engine, int(signal.SIGKILL)))

            tasks.start_soon(supervise)
            answer = await ask(r, "POST", "/api/ui/actors/executor/kill?engine=tiny-1", json={})
        assert answer[:2] == (200, {"engine": "tiny-1", "pid": 9})


async def test_actors_that_start_are_listed(tmp_path: Path) -> None:
    async with watched(tmp_path) as r:
        r.actor.telemetry.emit("actors", ActorStarted("executor/tiny-1", 0, 1))
        found = (await until_told(r, "/api/ui/actors", "actors"))["actors"]
        assert [(row["kind"], row["engine"], row["restarts"]) for row in found] == [("executor", "tiny-1", 0)]


async def test_without_a_key_nothing_is_told(tmp_path: Path) -> None:
    async with watched(tmp_path, api_keys=["k"]) as r:
        for path in ("metrics", "metrics/events", "requests", "requests/events", "logs", "logs/events", "actors"):
            assert (await ask(r, "GET", f"/api/ui/{path}"))[0] == 401
        assert (await ask(r, "POST", "/api/ui/requests/1/cancel", json={}))[0] == 401


async def test_streams_end_when_the_server_drains(tmp_path: Path) -> None:
    async with watched(tmp_path) as r, following(r, "/api/ui/metrics/events") as feed:
        r.actor.gateway.monitor.close()
        await r.until(feed.response.content.at_eof)
