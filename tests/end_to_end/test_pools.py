"""Pools of loaded models make room for another one, and no conversation is lost meanwhile."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES
from mlxr.metal.tensors import TensorType
from tests.models import model_path
from tests.models.files import Sizes, write_model
from tests.server import Server, serving

LIMIT = 1_100_000_000
"""For both models and their processes, and little more than the first takes with its pool."""

WORDS = "the quick brown fox jumps over the lazy dog and "


def test_a_second_model_takes_memory_that_the_first_keeps_pages_in_and_both_stay_loaded(tmp_path: Path) -> None:
    settings = ("--set", f"models.memory_limit={LIMIT}", "--set", "kv.memory_fraction=0.9")
    with serving(tmp_path / "home", "smollm2", *settings, models=("smollm2", "gemma3")) as server:
        before = taken(server, "smollm2")
        assert before > 0.8 * (LIMIT - OVERHEAD_BYTES)
        first = said(server, "smollm2", WORDS * 60)
        said(server, "gemma3", WORDS)
        assert sorted(loaded(server)) == ["gemma3", "smollm2"], server.log.read_text()
        assert taken(server, "smollm2") < before
        assert taken(server, "smollm2") + taken(server, "gemma3") + 2 * OVERHEAD_BYTES <= LIMIT
        assert said(server, "smollm2", WORDS * 60) == first
        assert "Traceback" not in server.log.read_text()


def test_eight_conversations_of_eight_thousand_tokens_alternate_without_a_miss(tmp_path: Path) -> None:
    sizes = Sizes(layers=1, width=64, hidden=64, heads=1, kv_heads=1, head_dim=32, vocabulary=49_152, context=10_000)
    path = write_model(tmp_path / "tiny.gguf", "llama", TensorType.Q8_0, sizes, words=model_path("smollm2"))
    conversations = [[100 + number, *range(1000, 9000)] for number in range(8)]
    with serving(tmp_path / "home", str(path), "--set", "kv.disk=false", models=()) as server:
        for turn in range(3):
            for number, conversation in enumerate(conversations):
                body = {"model": str(path), "prompt": conversation, "max_tokens": 1, "temperature": 0}
                status, answer = server.request("/v1/completions", body)
                assert status == 200, answer
                cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
                assert cached >= (len(conversation) - 40) // 32 * 32 * (turn > 0)
                conversations[number] = conversation + [200 + turn] * 40


def said(server: Server, model: str, prompt: str) -> str:
    body = {"model": model, "prompt": prompt, "max_tokens": 8, "temperature": 0}
    status, answer = server.request("/v1/completions", body)
    assert status == 200, answer
    return str(answer["choices"][0]["text"])


def loaded(server: Server) -> list[str]:
    return [model["model"].removesuffix(":latest") for model in server.request("/api/ps")[1]["models"]]


def taken(server: Server, model: str) -> int:
    """What weights and pages of a loaded model may take."""
    status, told = server.request("/api/ui/settings")
    assert status == 200, told
    (found,) = [engine for engine in told["engines"] if engine["model"].removesuffix(":latest") == model]
    return int(found["memory"])
