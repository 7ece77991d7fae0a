"""A server whose model has recurrent layers, latent attention, or layers that share keys keeps its promises: answers
that don't depend on company, turns that go on from states and pages, streams that outlive the executor."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlxr.models.formats.gguf.file import GGUFFile
from tests.models import model_path
from tests.models.architectures import (
    checkpoints_gemma,
    checkpoints_hybrid,
    checkpoints_latent,
    checkpoints_newest,
    checkpoints_recurrent,
    checkpoints_states,
)
from tests.models.exported import write_tokenizer
from tests.server import Server, serving

NAME = "tiny"
TOKENS = 49_152
LONG = 200
"""Tokens of a text that something happens to in its midst."""
PROMPTS = [f"Tell me a story about the number {i}." for i in range(6)]


MADE_BY: Mapping[str, Any] = {
    "qwen3_5": checkpoints_hybrid,
    "lfm2": checkpoints_recurrent,
    "nemotron_h with experts": checkpoints_recurrent,
    "deepseek_v3": checkpoints_latent,
    "gemma4 with shared keys": checkpoints_gemma,
    "kimi_linear": checkpoints_states,
    "jamba": checkpoints_states,
    "lfm3": checkpoints_newest,
}


@pytest.fixture(scope="module", params=MADE_BY)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with the vocabulary and the template of a real model."""
    made = MADE_BY[request.param]
    own = made.config_of(request.param)
    tables = {key: TOKENS for key in ("vocab_size", "vocab_size_per_layer_input") if key in own}
    config = {**own, **tables, "max_position_embeddings": 2048}
    path = tmp_path_factory.mktemp("model") / NAME
    if hasattr(made, "write_gguf"):
        return made.write_gguf(path.with_suffix(".gguf"), config, words=model_path("smollm2"))
    folder = made.write_folder(path, {**config, "bos_token_id": 1, "eos_token_id": 2})
    write_tokenizer(GGUFFile.open(model_path("smollm2")).metadata, folder)
    return folder


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, NAME, "--set", "kv.pool_tokens=8192", models=(), folders=(model,)) as running:
        yield running


def complete(server: Server, prompt: str, **fields: Any) -> Any:
    body = {"model": NAME, "prompt": prompt, "max_tokens": 24, "ignore_eos": True, **fields}
    status, answer = server.request("/v1/completions", body)
    assert status == 200, answer
    return answer


def read(server: Server, prompt: str) -> str:
    """A whole greedy stream."""
    return "".join(piece for piece in pieces(server, prompt))


def pieces(server: Server, prompt: str) -> Iterator[str]:
    for chunk in server.stream(prompt, model=NAME, max_tokens=LONG, ignore_eos=True):
        assert "error" not in chunk, chunk
        yield from (choice["delta"].get("content") or "" for choice in chunk["choices"])


def test_seeds_and_log_probabilities_are_the_same_alone_and_in_company(server: Server) -> None:
    def ask(number: int) -> Any:
        answer = complete(server, PROMPTS[number], temperature=0.8, seed=number, logprobs=3)
        return answer["choices"]

    alone = [ask(number) for number in range(len(PROMPTS))]
    with concurrent.futures.ThreadPoolExecutor(len(PROMPTS)) as pool:
        assert list(pool.map(ask, range(len(PROMPTS)))) == alone


def test_a_second_turn_computes_what_is_new_alone(server: Server) -> None:
    words = " ".join(f"word {number}" for number in range(60))
    first = complete(server, words, temperature=0)
    said = first["choices"][0]["text"]
    second = complete(server, f"{words}{said} and then", temperature=0)
    again = complete(server, f"{words}{said} and then", temperature=0)
    known = first["usage"]["prompt_tokens"]
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] >= known - 32
    assert again["choices"] == second["choices"]


def test_streams_finish_with_the_same_text_though_the_executor_is_killed(server: Server) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(PROMPTS)) as pool:
        undisturbed = list(pool.map(lambda prompt: read(server, prompt), PROMPTS))
        begun = [0] * len(PROMPTS)

        def disturbed(number: int) -> str:
            text = ""
            for piece in pieces(server, PROMPTS[number]):
                begun[number] += 1
                text += piece
            return text

        streams = [pool.submit(disturbed, number) for number in range(len(PROMPTS))]
        (executor,) = server.actors()
        # Not all: the last may begin when the first has already been answered.
        while sum(map(bool, begun)) < len(PROMPTS) // 2:
            assert not any(stream.done() for stream in streams), "a stream ended before half of them had begun"
            time.sleep(0.002)
        os.kill(executor, signal.SIGKILL)
        assert [stream.result() for stream in streams] == undisturbed
    assert server.actors() != [executor]


def test_embeddings_are_the_same_alone_and_in_company(server: Server) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        status, answer = server.request("/v1/embeddings", {"model": NAME, "input": texts})
        assert status == 200, answer
        return [item["embedding"] for item in answer["data"]]

    assert embed(PROMPTS) == [embed([prompt])[0] for prompt in PROMPTS]
