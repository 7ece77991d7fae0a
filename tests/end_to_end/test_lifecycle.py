"""Models that come and go on one server: what they hold, by the system's own count, and who makes room for whom."""

from __future__ import annotations

import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.models import model_path
from tests.models.architectures import checkpoints_hybrid
from tests.server import READY_SECONDS, Server, eventually, serving

CYCLES = 9
HELLO = {"prompt": "hello", "stream": False, "options": {"num_predict": 3}}


def tiny(folder: Path, name: str = "tiny") -> Path:
    """A model whose files are no others'."""
    config = {**checkpoints_hybrid.config_of("qwen3_5"), "vocab_size": 49152}
    config["max_position_embeddings"] = 1024 + sum(name.encode())
    return checkpoints_hybrid.write_gguf(folder / f"{name}.gguf", config, words=model_path("smollm2"))


def loaded(server: Server) -> dict[str, dict[str, Any]]:
    return {model["name"].removesuffix(":latest"): model for model in server.request("/api/ps")[1]["models"]}


def load(server: Server, name: str, **fields: Any) -> tuple[int, Any]:
    return server.request("/api/generate", {"model": name, "stream": False, **fields})


def unload(server: Server, name: str) -> None:
    assert load(server, name, keep_alive=0)[0] == 200
    eventually(lambda: name not in loaded(server))


def descendants(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True) if not ended(child.pid))]


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pages(pid: int) -> int:
    """What a process holds of memory: where the system tells shares of what it holds with others, those."""
    told = psutil.Process(pid).memory_full_info()
    held: int = getattr(told, "pss", 0) or told.uss
    return held


def held_of(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            total += pages(pid)
        except psutil.Error:
            continue  # it has ended meanwhile
    return total


def _ended(parent: int, pids: set[int]) -> bool:
    return not pids & set(descendants(parent))


def test_what_is_said_to_be_held_is_what_the_system_says(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", folders=(tiny(tmp_path),)) as server:
        before = set(descendants(server.process.pid))
        smollm = loaded(server)["smollm2"]["size"]
        assert load(server, "tiny", **HELLO)[0] == 200
        own = [pid for pid in descendants(server.process.pid) if pid not in before]
        found = loaded(server)
        assert found["tiny"]["size"] == pytest.approx(held_of(own), rel=0.05)
        # Weights of which nothing is shared, in a process of their own, and what of the pool was used.
        assert smollm > model_path("smollm2").stat().st_size
        assert found["tiny"]["size_vram"] == found["smollm2"]["size_vram"] == 0
        unload(server, "tiny")
        eventually(lambda: all(map(ended, own)))


def test_memory_is_given_back_and_nothing_grows_with_every_load(tmp_path: Path) -> None:
    """The first loads make what stays: modules that are loaded once, caches, arenas of the allocator."""
    with serving(tmp_path / "home", "smollm2", folders=(tiny(tmp_path),)) as server:
        # What constraints need of a vocabulary is made once, and else when the engine rests.
        server.chat("hello", max_tokens=4, response_format={"type": "json_object"})
        held: list[int] = []
        for _ in range(CYCLES):
            before = set(descendants(server.process.pid))
            assert load(server, "tiny", **HELLO)[0] == 200
            own = set(descendants(server.process.pid)) - before
            unload(server, "tiny")
            eventually(partial(_ended, server.process.pid, own))
            held.append(held_of(descendants(server.process.pid)))
        assert len(descendants(server.process.pid)) < 12
        early, late = min(held[CYCLES // 3 : 2 * CYCLES // 3]), min(held[2 * CYCLES // 3 :])
        # What the interpreter collects now and then is some megabytes; a model that stays is many more.
        assert late < early + (12 << 20)


def test_a_load_without_room_makes_the_unused_model_go_and_never_the_pinned(tmp_path: Path) -> None:
    folders = (tiny(tmp_path, "one"), tiny(tmp_path, "two"))
    settings = ("--set", "models.max_loaded=2", "--pin", "smollm2")
    with serving(tmp_path / "home", "smollm2", *settings, folders=folders) as server:
        assert loaded(server)["smollm2"]["pinned"]
        assert load(server, "one", **HELLO)[0] == 200
        assert set(loaded(server)) == {"smollm2", "one"}
        assert load(server, "two", **HELLO)[0] == 200
        eventually(lambda: set(loaded(server)) == {"smollm2", "two"})
        assert load(server, "two", pin=True)[0] == 200
        status, answer = load(server, "one", **HELLO)
        assert status == 507
        assert answer["error"] == (
            "can't load one: 2 models may be loaded at once (models.max_loaded), and as many are pinned: smollm2, two; "
            "`mlxr stop` one of them"
        )
        assert load(server, "two", pin=False)[0] == 200
        assert not loaded(server)["two"]["pinned"]


def test_a_model_beyond_the_limit_is_refused_in_one_line_and_those_that_run_go_on(tmp_path: Path) -> None:
    limit = ("--set", "models.memory_limit=500MB")
    with serving(tmp_path / "home", "smollm2", *limit, models=("smollm2", "gemma3")) as server:
        status, answer = load(server, "gemma3", **HELLO)
        assert status == 507
        assert answer["error"].startswith("can't load gemma3: it needs ")
        assert "the limit for all models is 500.0 MB (models.memory_limit)" in answer["error"]
        assert set(loaded(server)) == {"smollm2"}
        assert server.chat("hello", max_tokens=2)["choices"]


def test_models_that_need_the_same_place_take_turns_and_all_are_answered(tmp_path: Path) -> None:
    folders = (tiny(tmp_path, "one"), tiny(tmp_path, "two"))
    with serving(tmp_path / "home", "one", "--set", "models.max_loaded=1", models=(), folders=folders) as server:
        answers: list[int] = []

        def ask(name: str) -> None:
            answers.append(load(server, name, **HELLO)[0])

        threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two", "one", "two", "two", "one")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert answers == [200] * 6


def test_a_server_that_is_told_to_end_while_it_loads_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", models=("smollm2", "gemma3")) as server:
        before = set(descendants(server.process.pid))
        asked = threading.Thread(target=load, args=(server, "gemma3"))
        asked.start()
        states = lambda: server.request("/health")[1]  # noqa: E731
        eventually(lambda: set(descendants(server.process.pid)) - before)
        assert states()
        processes = descendants(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(READY_SECONDS) == 0
        asked.join(READY_SECONDS)
        eventually(lambda: all(map(ended, processes)))
