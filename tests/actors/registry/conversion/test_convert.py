from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import msgspec
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.conversion import child, to_gguf
from mlxr.actors.registry.conversion.convert import convert_to_path
from mlxr.actors.registry.conversion.job import Advanced, Done, Failed, Job, Said, Wanted
from mlxr.actors.registry.conversion.process import CHILD, run
from mlxr.actors.registry.progress import Progress
from mlxr.models.errors import UnsupportedModelError
from mlxr.runtime.errors import ModelError
from tests.actors.registry.packages import files_under
from tests.models.quantization.models import small_model, types_in


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return small_model(tmp_path / "f32.gguf", layers=2)


def job(source: Path, target: Path, **wanted: object) -> Job:
    return Job(str(source), str(target), msgspec.convert({"type": "Q4_0", **wanted}, Wanted), 2)


def said_of(job: Job) -> list[Said]:
    said: list[Said] = []
    child.convert(job, said.append)
    return said


async def test_progress_is_told_up_to_the_last_byte(source: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    done = await run(job(source, tmp_path / "made"), told.append)
    assert done.size == (tmp_path / "made").stat().st_size
    assert {progress.status for progress in told} == {"quantizing F32 model to Q4_0"}
    assert told[-1].completed == told[-1].total > 0


async def test_what_is_wrong_with_a_source_is_said_as_in_this_process(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="--imatrix") as refused:
        await run(job(source, tmp_path / "made", type="IQ1_S"), lambda progress: None)
    assert refused.value.path == source
    assert not (tmp_path / "made").exists()


async def test_a_process_that_dies_is_an_error_that_says_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nkill -ABRT $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(ModelError, match="its process was ended by SIGABRT"):
        await run(job(source, tmp_path / "made"), lambda progress: None)


async def test_a_cancelled_conversion_leaves_nothing(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    target, begun = tmp_path / "made.gguf", anyio.Event()

    async with anyio.create_task_group() as tasks:

        async def convert() -> None:
            wanted = Wanted(type="IQ3_S")
            await convert_to_path(source, wanted, target, lambda progress: begun.set(), threads=1)

        tasks.start_soon(convert)
        with anyio.fail_after(60):
            await begun.wait()
        tasks.cancel_scope.cancel()
    assert files_under(tmp_path) == ["f32.gguf"]


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=8, width=1024)
    given = msgspec.json.encode(job(source, tmp_path / "made", type="IQ3_S")).decode()
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-m", CHILD, given], stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "advanced"
    process.stdin.close()
    assert process.wait(30) == 1
    process.stdout.close()


def test_too_little_space_is_said_before_it_begins(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = files.shutil.disk_usage(tmp_path)._replace(free=40 << 20)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    big = small_model(tmp_path / "big.gguf", layers=6, width=1024)
    (failed,) = said_of(job(big, tmp_path / "made", type="F32"))
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.needed > 40 << 20) == ("space", True)
    assert not (tmp_path / "made").exists()


def test_a_disk_that_fills_up_is_one_line(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(to_gguf, "write_model", full)
    failed = said_of(job(source, tmp_path / "made"))[-1]
    assert isinstance(failed, Failed)
    assert failed.kind == "space"
    assert "no space left" in failed.reason


async def test_a_path_that_is_taken_is_left_alone(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "there.gguf"
    target.write_text("mine")
    with pytest.raises(ModelError, match="is there already"):
        await convert_to_path(source, Wanted(type="Q4_0"), target, lambda progress: None)
    assert target.read_text() == "mine"
    with pytest.raises(ModelError, match="is no folder"):
        await convert_to_path(source, Wanted(type="Q4_0"), tmp_path / "no" / "where.gguf", lambda progress: None)


def test_types_of_single_tensors_are_laid_down(source: Path, tmp_path: Path) -> None:
    said = said_of(job(source, tmp_path / "made", tensor_types=["ffn_down=q8_0"], output_type="f16"))
    assert isinstance(said[-1], Done)
    assert isinstance(said[0], Advanced)
    types = types_in(tmp_path / "made")
    assert (types["blk.1.ffn_down.weight"], types["output.weight"], types["blk.1.ffn_up.weight"]) == (
        "Q8_0",
        "F16",
        "Q4_0",
    )


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"tensor_types": ["ffn_down"]}, "is no EXPRESSION=TYPE"),
        ({"tensor_types": ["ffn_down=q9"]}, "'q9' is no type of tensors"),
        ({"tensor_types": ["(=q8_0"]}, "is no regular expression"),
        ({"output_type": "Q4_K_M"}, "is no type of tensors"),
        ({"output_type": "Q8_K"}, "is no type of tensors"),
        ({"importance": "/nowhere/im.dat"}, "can't be read"),
    ],
)
def test_what_makes_no_sense_is_refused(source: Path, tmp_path: Path, wanted: dict[str, object], reason: str) -> None:
    (failed,) = said_of(job(source, tmp_path / "made", **wanted))
    assert isinstance(failed, Failed)
    assert reason in failed.reason
    assert not (tmp_path / "made").exists()
