"""A model that does not fit is refused before a weight of it is read, with what is needed and the way out."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mlxr.runtime.system_memory import resident_of
from tests.models import model_path
from tests.models.architectures import checkpoints_hybrid
from tests.server import Server, eventually, serving

ENDLESS = 1 << 28
HELLO = [{"role": "user", "content": "hello"}]


def test_a_context_that_does_not_fit_is_refused_and_the_one_that_is_offered_is_served(tmp_path: Path) -> None:
    config = {**checkpoints_hybrid.config_of("qwen3_5"), "vocab_size": 49152, "max_position_embeddings": ENDLESS}
    model = checkpoints_hybrid.write_gguf(tmp_path / "tiny.gguf", config, words=model_path("smollm2"))
    home = tmp_path / "home"
    wished = ("--set", f"executor.context_length={ENDLESS}")
    with serving(home, "smollm2", *wished, folders=(model,)) as server:
        for path, body in (
            ("/v1/chat/completions", {"model": "tiny", "messages": HELLO}),
            ("/api/chat", {"model": "tiny", "messages": HELLO}),
            ("/v1/messages", {"model": "tiny", "messages": HELLO, "max_tokens": 4}),
        ):
            status, answer = server.request(path, body)
            assert status == 507, answer
            error = answer["error"]
            message = error if isinstance(error, str) else error["message"]
            assert message.startswith("can't load tiny: it needs ")
            assert re.search(r"MB for weights and [0-9.]+ [GT]B for a context of 268435456 tokens", message)
            offered = re.search(r"--set executor.context_length=([0-9]+), or take a smaller quantization", message)
            assert offered, message
        assert server.chat("hello", max_tokens=4)["choices"]
        # Less than was offered: memory is others', too.
        fitting = int(offered[1]) // 64
        assert "Traceback" not in server.log.read_text()
    with serving(home, "tiny", "--set", f"executor.context_length={fitting}", models=()) as server:
        status, loaded = server.request("/api/ps")
        assert status == 200
        assert [model["context_length"] for model in loaded["models"]] == [fitting], server.log.read_text()


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_an_estimate_is_near_what_the_system_says_once_a_context_is_full(name: str, tmp_path: Path) -> None:
    with serving(tmp_path / "home", name, models=(name,)) as server:
        status, told = server.request("/api/estimate", {"model": name, "context_length": 4096})
        assert status == 200, told
        # A vocabulary for constraints counts, too, which is else made when the engine rests.
        server.chat("hello", model=name, max_tokens=4, response_format={"type": "json_object"})
        prompt = {"model": name, "prompt": "the quick brown fox jumps over the lazy dog and " * 370, "raw": True}
        status, said = server.request("/api/generate", {**prompt, "stream": False, "options": {"num_predict": 200}})
        assert status == 200, said
        assert 3600 < said["prompt_eval_count"] + said["eval_count"] < 4096
        (executor,) = server.actors()
        held = resident_of(executor)
        status, again = server.request("/api/pull", {"model": name, "dry_run": True})
        assert status == 200, again
        require_true(server)
    assert told["backend"] == "cpu"
    assert told["disk"]["needed"] == told["read"] == 0
    assert told["memory"]["fits"]
    # Without huge pages, which a system may not have, less of the pool is resident.
    assert 0.7 * told["memory"]["needed"] < held < 1.12 * told["memory"]["needed"]
    assert again["memory"]["context"] == 8192


def require_true(server: Server) -> None:
    """What ``/api/ps`` says a model holds is what the system has back once it is unloaded, but for what it shared with
    the server's other processes."""
    (loaded,) = server.request("/api/ps")[1]["models"]
    before = held_by_all(server)
    status, said = server.request("/api/generate", {"model": loaded["name"], "keep_alive": 0})
    assert status == 200, said
    eventually(lambda: server.request("/api/ps")[1]["models"] == [] and server.actors() == [])
    # Workers of its tokenizer may end last.
    eventually(lambda: loaded["size"] == pytest.approx(before - held_by_all(server), rel=0.1))


def held_by_all(server: Server) -> int:
    """Bytes of all the server's processes; a page of several counts once, where the system says so."""
    found, main = 0, psutil.Process(server.process.pid)
    for process in [main, *main.children(recursive=True)]:
        with suppress(psutil.Error):  # it has ended
            info = process.memory_full_info()
            found += getattr(info, "pss", info.uss)
    return found
