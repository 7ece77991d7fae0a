"""Jobs of a registry on a real bus: they belong to the server, and not to whoever started them."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import msgspec

from mlxr.actors.registry.jobs.record import JobRecord, new_record, started
from mlxr.api.conversion import ConversionEstimate
from mlxr.api.jobs import Job, JobState
from mlxr.runtime.messages.registry import (
    ControlJob,
    ConvertModel,
    EstimateConversion,
    ImportModels,
    PullModel,
    SendCatalog,
    StartJob,
    Work,
)
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf
from tests.actors.registry.rig import Rig, Start
from tests.models.quantization.models import small_model


async def begin(rig: Rig, work: Work) -> str:
    reply = await rig.ask(StartJob, work)
    assert reply.error is None, reply.error
    return msgspec.json.decode(reply.body, type=Job).id


async def control(rig: Rig, id: str, action: str) -> str:
    """What was wrong with that; '' for nothing."""
    reply = await rig.ask(ControlJob, id, action)
    return reply.error.message if reply.error else ""


async def reaches(rig: Rig, id: str, *states: JobState) -> Job:
    await rig.until(lambda: id in rig.jobs and rig.jobs[id].state in states)
    return rig.jobs[id]


def quantizing(source: Path | str, name: str, type: str = "Q4_0", **more: object) -> ConvertModel:
    return ConvertModel(str(source), json.dumps({"type": type, **more}).encode(), name)


async def test_a_pull_goes_on_without_whoever_started_it_and_its_model_is_there(rig: Rig, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "third.gguf", "third")
    id = await begin(rig, PullModel(str(tmp_path / "third.gguf")))
    job = await reaches(rig, id, "done")
    assert (job.result, job.kind) == ("third", "pull")
    await rig.until(lambda: "third" in rig.models())


async def test_what_fails_says_why_in_a_sentence_and_can_be_tried_again(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "late.gguf"
    id = await begin(rig, PullModel(str(path)))
    job = await reaches(rig, id, "failed")
    assert "late.gguf" in job.error
    tiny_gguf(path, "late")
    assert not await control(rig, id, "retry")
    job = await reaches(rig, id, "done")
    assert (job.attempts, job.error) == (2, "")


async def test_the_same_work_is_done_once(rig: Rig, tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    first = await begin(rig, quantizing(source, "small", "IQ3_S"))
    assert await begin(rig, quantizing(source, "small", "IQ3_S")) == first
    assert not await control(rig, first, "cancel")
    await reaches(rig, first, "cancelled")


async def test_a_quantization_runs_in_the_server_says_how_far_it_is_and_what_fell_back(
    rig: Rig, tmp_path: Path
) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=2, width=96)
    id = await begin(rig, quantizing(source, "small", "Q4_K_M"))
    job = await reaches(rig, id, "done", "failed")
    assert job.state == "done", job.error
    assert any("smaller than" in note for note in job.notes)
    assert any("instead of Q4_K" in note for note in job.notes)
    await rig.until(lambda: "small" in rig.models())


async def test_a_cancelled_quantization_ends_and_leaves_nothing(rig: Rig, home: Home, tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    id = await begin(rig, quantizing(source, "small", "IQ3_S"))
    await rig.until(lambda: rig.jobs[id].completed > 0)
    assert not await control(rig, id, "cancel")
    await reaches(rig, id, "cancelled")
    assert "small" not in rig.models()
    assert not [path for path in (home.models / "partial").iterdir() if path.is_dir()]


async def test_what_computes_waits_its_turn_and_can_be_cancelled_before_it(rig: Rig, tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    first = await begin(rig, quantizing(source, "one", "IQ3_S"))
    await reaches(rig, first, "running")
    second = await begin(rig, quantizing(source, "two", "Q4_0"))
    assert not await control(rig, second, "cancel")
    await reaches(rig, second, "cancelled")
    assert rig.jobs[first].state == "running"
    assert not await control(rig, first, "cancel")
    await reaches(rig, first, "cancelled")


async def test_a_source_that_is_quantized_is_refused_by_its_name(rig: Rig, tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=1)
    await reaches(rig, await begin(rig, quantizing(source, "small", "Q8_0")), "done")
    job = await reaches(rig, await begin(rig, quantizing("small", "smaller", "Q4_0")), "failed")
    assert job.error.startswith("small: is quantized already")
    assert job.code == "unsupported"


async def test_an_import_that_finds_nothing_fails_in_words(rig: Rig) -> None:
    job = await reaches(rig, await begin(rig, ImportModels(["ollama:nothing"])), "failed")
    assert "nothing" in job.error


async def test_a_frontend_that_is_started_anew_hears_of_every_job(rig: Rig, tmp_path: Path) -> None:
    id = await begin(rig, PullModel(str(tmp_path / "none.gguf")))
    await reaches(rig, id, "failed")
    rig.jobs.clear()
    rig.tell(SendCatalog())
    await reaches(rig, id, "failed")


async def test_what_an_earlier_server_left_is_interrupted_and_goes_on_when_it_is_asked_to(
    start: Start, home: Home, tmp_path: Path
) -> None:
    tiny_gguf(tmp_path / "third.gguf", "third")
    left = new_record(PullModel(str(tmp_path / "third.gguf")), "4194304", 1.0)
    left = JobRecord(started(left.job, 2.0), left.work, left.server)
    home.jobs.mkdir()
    (home.jobs / f"{left.job.id}.json").write_bytes(msgspec.json.encode(left))
    (home.jobs / "broken.json").write_text("{")
    async with start() as rig:
        await reaches(rig, left.job.id, "interrupted")
        assert not await control(rig, left.job.id, "retry")
        job = await reaches(rig, left.job.id, "done")
        assert (job.result, job.attempts) == ("third", 2)


async def test_a_job_that_ended_is_forgotten_with_its_file_and_one_at_work_is_not(
    rig: Rig, home: Home, tmp_path: Path
) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    id = await begin(rig, quantizing(source, "small", "IQ3_S"))
    assert "cancel it first" in await control(rig, id, "forget")
    await control(rig, id, "cancel")
    await reaches(rig, id, "cancelled")
    assert not await control(rig, id, "forget")
    await rig.until(lambda: id not in rig.jobs)
    with anyio.fail_after(10):
        while (home.jobs / f"{id}.json").exists():  # noqa: ASYNC110  (another process would look, too)
            await anyio.sleep(0.01)
    assert "there is no job" in await control(rig, id, "retry")


async def test_sizes_are_told_before_a_quantization_and_are_exact(rig: Rig, tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=2)
    reply = await rig.ask(EstimateConversion, str(source), b"{}")
    told = msgspec.json.decode(reply.body, type=ConversionEstimate)
    assert (told.quantized, told.quantization) == (False, "F32")
    choices = {choice.type: choice for choice in told.choices}
    assert choices["IQ1_S"].importance
    assert not choices["Q4_K_M"].importance
    for type in ("Q4_K_M", "Q8_0", "F16"):
        job = await reaches(rig, await begin(rig, quantizing(source, f"as-{type}", type)), "done", "failed")
        assert job.state == "done", job.error
        await rig.until(lambda name=f"as-{type}": name in rig.models())  # type: ignore[misc]
        made = next(model for model in rig.catalog.models if model.name.lower() == f"as-{type}".lower())
        assert made.size == choices[type].size


async def test_a_client_on_another_machine_has_no_job_done_with_a_path(rig: Rig, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "third.gguf", "third")
    reply = await rig.ask(StartJob, PullModel(str(tmp_path / "third.gguf")), remote=True)
    job = await reaches(rig, msgspec.json.decode(reply.body, type=Job).id, "failed", "done")
    assert (job.state, job.code) == ("failed", "model_not_found")
