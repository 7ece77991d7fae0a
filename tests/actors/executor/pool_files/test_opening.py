"""Which pool an executor takes over from one that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.executor.pool_files import file as files
from mlxr.actors.executor.pool_files.opening import open_shared_pool
from mlxr.actors.executor.settings import ExecutorSettings, KVSection
from mlxr.metal.cache import CacheGroup
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.runtime.messages.kv import CacheKind

GROUP = CacheGroup(CacheKind.FULL, (0,), 1, 16)
BACKEND = CpuBackend(1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "home"))
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(files, "FOLDER", folder)
    return folder


def even(left: int) -> PoolSpec:
    return PoolSpec.even([GROUP], 8, 16)


def settings(content: str = "model", **kv: object) -> ExecutorSettings:
    return ExecutorSettings("m.gguf", content=content, kv=KVSection(**{"shared_memory": True, **kv}))  # type: ignore[arg-type]


def taken(pages: int, after: int, **kv: object) -> int:
    """How many pages a pool has that was to have so many, ``after`` one was killed that had those."""
    killed = open_shared_pool(settings(), BACKEND, lambda left: PoolSpec.even([GROUP], after, 16))
    assert killed is not None
    killed._file.close()
    following = open_shared_pool(settings(**kv), BACKEND, lambda left: PoolSpec.even([GROUP], pages, 16))
    assert following is not None
    following.delete()
    return following.spec.groups[0].pages


def test_a_pool_has_as_many_pages_as_the_one_that_it_takes_over() -> None:
    # Its memory is missing of what the next one's size is reckoned from.
    assert taken(80, after=100) == 100
    assert taken(120, after=100) == 100


def test_a_pool_far_larger_than_one_made_now_is_not_taken_over() -> None:
    assert taken(50, after=100) == 50


def test_a_pool_of_a_size_that_somebody_has_set_has_that() -> None:
    assert taken(80, after=100, pool_tokens=1280) == 80


def test_pages_have_the_process_s_own_memory_unless_that_is_wanted_and_can_be_had(folder: Path) -> None:
    for without in (settings(shared_memory=False), settings(disk=False), settings(content="")):
        assert open_shared_pool(without, BACKEND, even) is None
    assert open_shared_pool(settings(), ReferenceBackend(), even) is None
    assert list(folder.iterdir()) == []
    folder.rmdir()  # as on other systems
    assert open_shared_pool(settings(), BACKEND, even) is None


def test_of_two_executors_of_a_model_one_has_the_file(folder: Path) -> None:
    first = open_shared_pool(settings(), BACKEND, even)
    assert first is not None
    assert open_shared_pool(settings(), BACKEND, even) is None
    other = open_shared_pool(settings("another model"), BACKEND, even)
    assert other is not None
    assert len(list(folder.iterdir())) == 2
    first.delete()
    other.delete()
