"""The page's list of models and its stream of changes, by a real socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
from msgspec.structs import replace

from mlxr.api.jobs import Job, JobChanges
from mlxr.runtime.messages.catalogue import MemoryInfo
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import Catalog, JobsChanged, RegistryReply
from mlxr.runtime.messages.registry import ControlJob, LoadModel, PullModel, StartJob
from tests.http.rig import ENGINE, ENTRY, ask, rig

JOB = Job("pull-1", "pull", "/home/me/secret/tiny.gguf", "running", created=1.0)
MEMORY = MemoryInfo(1000, 600, 800)


def jobs(*changed: Job, gone: tuple[str, ...] = (), whole: bool = False) -> JobsChanged:
    return JobsChanged(msgspec.json.encode(JobChanges(list(changed), list(gone), whole)))


class Events:
    """One connection to the stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The id and data of the next event."""
        id = ""
        with anyio.fail_after(10):
            while True:
                name, _, value = (await self._response.content.readline()).decode().partition(": ")
                if name == "id":
                    id = value.strip()
                elif name == "data":
                    return id, msgspec.json.decode(value)


async def test_one_list_has_what_is_installed_loaded_and_at_work(tmp_path: Path) -> None:
    shared = replace(ENTRY, name="copy", tool="ollama")
    async with rig(tmp_path, Catalog([ENTRY, shared], [ENGINE], memory=MEMORY)) as r:
        r.tell(jobs(JOB, whole=True))
        await r.until(lambda: r.actor.gateway.library.jobs())
        status, state, _ = await ask(r, "GET", "/api/ui/models")
    assert status == 200
    tiny, copy = (next(each for each in state["models"] if each["name"] == name) for name in ("tiny", "copy"))
    assert (tiny["family"], tiny["quantization"], tiny["context_length"]) == ("llama", "Q4_1", 2048)
    assert (tiny["loaded"]["state"], tiny["loaded"]["memory"], tiny["loaded"]["pinned"]) == ("ready", 99, False)
    assert (tiny["shares"], copy["shares"], copy["tool"], copy["loaded"]) == (["copy"], ["tiny"], "ollama", None)
    assert state["machine"] == {"total": 1000, "available": 600, "limit": 800, "loaded": 99}
    assert [job["id"] for job in state["jobs"]] == ["pull-1"]
    assert state["stores"] is None


async def test_who_follows_hears_of_changes_and_who_comes_back_of_what_they_missed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        async with session.get(f"{r.url}/api/ui/models/events") as response:
            events = Events(response)
            _, first = await events.next()
            assert first["reset"]
            assert [model["name"] for model in first["models"]] == ["tiny"]
            r.tell(jobs(JOB))
            seen, second = await events.next()
            assert (second["reset"], second["models"]) == (False, [])
            assert second["jobs"][0]["state"] == "running"
        r.tell(jobs(gone=("pull-1",)), Catalog([replace(ENTRY, name="other")], []))
        await r.until(lambda: not r.actor.gateway.library.jobs())
        await r.until(lambda: r.actor.gateway.library.models()[0].name == "other")
        headers = {"Last-Event-ID": seen}
        async with session.get(f"{r.url}/api/ui/models/events", headers=headers) as response:
            _, missed = await Events(response).next()
    assert (missed["reset"], missed["gone_models"], missed["gone_jobs"]) == (False, ["tiny"], ["pull-1"])
    assert [model["name"] for model in missed["models"]] == ["other"]


async def test_clients_on_other_machines_are_told_no_paths(tmp_path: Path) -> None:
    local = replace(ENTRY, source="/home/me/tiny.gguf", aliases=["/home/me/tiny.gguf", "org/tiny"])
    async with rig(tmp_path, Catalog([local], [])) as r, aiohttp.ClientSession(r.url) as session:
        r.tell(jobs(JOB))
        await r.until(lambda: r.actor.gateway.library.jobs())
        for header, told in (({}, True), ({"X-Forwarded-For": "192.0.2.1"}, False)):
            for path in ("/api/ui/models", "/api/ui/jobs", "/api/ui/jobs/pull-1"):
                async with session.get(path, headers=header) as response:
                    assert ("/home/me" in await response.text()) is told, path
            async with session.get("/api/ui/models/events", headers=header) as response:
                _, first = await Events(response).next()
                assert ("/home/me" in str(first)) is told


def kept(message: Message) -> list[Message]:
    """A registry's script: a job of what was asked for."""
    if isinstance(message, StartJob | ControlJob):
        return [RegistryReply(message.request or 0, "success", last=True, body=msgspec.json.encode(JOB))]
    return [RegistryReply(getattr(message, "request", 0), "success", last=True)]


async def test_a_job_is_started_controlled_and_shown(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_registry = kept
        r.tell(jobs(JOB))
        await r.until(lambda: r.actor.gateway.library.jobs())
        status, job, _ = await ask(r, "POST", "/api/ui/jobs/pull", json={"model": " tiny "})
        assert (status, job["id"]) == (200, "pull-1")
        assert r.got(StartJob)[0].work == PullModel("tiny")
        assert (await ask(r, "POST", "/api/ui/jobs/pull-1", json={"action": "cancel"}))[0] == 200
        assert (await ask(r, "DELETE", "/api/ui/jobs/pull-1"))[0] == 200
        assert [(each.job, each.action) for each in r.got(ControlJob)] == [("pull-1", "cancel"), ("pull-1", "forget")]
        assert (await ask(r, "GET", "/api/ui/jobs/pull-1"))[1]["model"] == JOB.model
        assert len((await ask(r, "GET", "/api/ui/jobs"))[1]["jobs"]) == 1
        status, wrong, _ = await ask(r, "GET", "/api/ui/jobs/nothing")
        assert (status, wrong["code"]) == (404, "model_not_found")
        assert (await ask(r, "POST", "/api/ui/jobs/pull", json={"model": " "}))[0] == 400
        assert (await ask(r, "POST", "/api/ui/jobs/import", json={"from": "nowhere"}))[0] == 400


async def test_a_model_of_any_kind_is_loaded_and_pinned(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_registry = kept
        body = {"model": "tiny", "pin": True, "keep_alive": "5m"}
        assert (await ask(r, "POST", "/api/ui/models/load", json=body))[:2] == (200, {"model": "tiny"})
        assert (r.got(LoadModel)[0].pin, r.got(LoadModel)[0].keep_alive) == (True, 300.0)
