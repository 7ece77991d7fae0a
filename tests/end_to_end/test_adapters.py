"""Adapters on the real SmolLM2, through a real server."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.architectures.checkpoints import safetensors
from tests.server import Server, eventually, serving

SHAPES = {
    "self_attn.q_proj": (576, 576),
    "self_attn.k_proj": (192, 576),
    "self_attn.v_proj": (192, 576),
    "self_attn.o_proj": (576, 576),
    "mlp.gate_proj": (1536, 576),
    "mlp.up_proj": (1536, 576),
    "mlp.down_proj": (576, 1536),
}
LAYERS, RANK = 30, 8
STORY = "Tell me about the sea."


def adapter(
    folder: Path, seed: int, modules: tuple[str, ...] = tuple(SHAPES), width: int = 576, size: float = 0.06
) -> Path:
    """A PEFT adapter of random numbers, small enough that the model still writes words."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "bias": "none", "base_model_name_or_path": "SmolLM2"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for module in modules:
            outputs, inputs = SHAPES[module]
            name = f"base_model.model.model.layers.{layer}.{module}"
            inputs = width if inputs == 576 else inputs
            tensors[f"{name}.lora_A.weight"] = (random.standard_normal((RANK, inputs)) / inputs**0.5).astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = (random.standard_normal((outputs, RANK)) * size).astype(np.float32)
    (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("adapters")
    folders = [adapter(folder / "a", 1), adapter(folder / "b", 2, ("self_attn.q_proj", "self_attn.v_proj"), size=0.15)]
    folders.append(adapter(folder / "wide", 3, width=640))
    options = ("--set", "kv.pool_tokens=16384", "--set", "scheduler.max_adapters=2")
    with serving(tmp_path_factory.mktemp("home"), "smollm2", *options, folders=folders) as running:
        yield running


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def ask(server: Server, content: str = STORY, **fields: Any) -> str:
    return text_of(server.chat(content, **{"max_tokens": 24, "ignore_eos": True, **fields}))


WAYS: list[dict[str, Any]] = [
    {},
    {"model": "smollm2+a"},
    {"model": "smollm2+b"},
    {"model": "smollm2+a+b"},
    {"adapters": [{"name": "a", "scale": 0.5}, "b"]},
    {"model": "smollm2+a", "adapters": [{"name": "b", "scale": -1.0}]},
]


def test_requests_with_different_adapters_run_at_once_and_each_reads_as_it_does_alone(server: Server) -> None:
    alone = [ask(server, **way) for way in WAYS]
    assert len(set(alone)) == len(WAYS)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda way: ask(server, **way), WAYS * 2))
    assert together == alone * 2


def test_a_list_says_what_a_name_says(server: Server) -> None:
    assert ask(server, adapters=["a"]) == ask(server, model="smollm2+a")
    assert (
        ask(server, adapters=["a", "b"]) == ask(server, model="smollm2+a+b") == ask(server, model="smollm2:latest+A+b")
    )
    assert ask(server, adapters=[{"name": "a", "scale": 0}]) == ask(server)


def test_pages_of_a_prompt_are_shared_by_the_same_adapters_alone(server: Server) -> None:
    def cached(**fields: Any) -> int:
        answer = server.chat("What is a prefix? " * 40, max_tokens=1, **fields)
        return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])

    assert cached() == 0
    assert cached() > 100
    assert cached(model="smollm2+b") == 0
    assert cached(model="smollm2+b") > 100
    assert cached(adapters=[{"name": "b", "scale": 0.5}]) == 0


def test_every_surface_takes_adapters(server: Server) -> None:
    messages = [{"role": "user", "content": STORY}]
    options = {"num_predict": 24, "temperature": 0, "repeat_penalty": 1.0}
    for fields in ({"model": "smollm2+a"}, {"model": "smollm2", "adapters": ["a"]}):
        expected = ask(server, ignore_eos=False, **fields)
        body: dict[str, Any] = {**fields, "messages": messages, "options": options, "stream": False}
        status, answer = server.request("/api/chat", body)
        assert (status, answer["message"]["content"]) == (200, expected)
        body = {**fields, "messages": messages, "max_tokens": 24, "temperature": 0}
        status, answer = server.request("/v1/messages", body)
        assert (status, answer["content"][0]["text"]) == (200, expected)
        body = {**fields, "input": STORY, "max_output_tokens": 24, "temperature": 0}
        status, answer = server.request("/v1/responses", body)
        assert (status, answer["output"][0]["content"][0]["text"]) == (200, expected)
    vectors = [
        server.request("/v1/embeddings", {"model": "smollm2", "input": STORY, **fields})[1]["data"][0]["embedding"]
        for fields in ({}, {"model": "smollm2+a"}, {"adapters": ["a"]})
    ]
    assert vectors[1] == vectors[2] != vectors[0]


def test_models_are_listed_with_the_adapters_that_fit_them(server: Server) -> None:
    _, answer = server.request("/v1/models")
    cards = {card["id"]: card for card in answer["data"]}
    assert set(cards) == {"smollm2", "smollm2+a", "smollm2+b"}
    assert cards["smollm2+a"]["parent"] == "smollm2"
    assert server.request("/v1/models/smollm2+a")[1]["parent"] == "smollm2"
    assert server.request("/v1/models/smollm2+nope")[0] == 404
    _, tags = server.request("/api/tags")
    assert {tag["name"]: tag["capabilities"] for tag in tags["models"]}["a:latest"] == ["adapter"]
    _, shown = server.request("/api/show", {"model": "a"})
    assert shown["capabilities"] == ["adapter"]
    assert shown["model_info"]["adapter.lora.rank"] == RANK
    assert shown["model_info"]["general.base_model.0.name"] == "SmolLM2"


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"model": "smollm2+nope"}, 404, "`model`: there is no adapter of the name 'nope'"),
        ({"adapters": ["nope"]}, 400, "`adapters`: there is no adapter of the name 'nope'"),
        ({"adapters": ["smollm2"]}, 400, "'smollm2' is a model and no adapter"),
        ({"model": "a"}, 400, "'a' is an adapter, trained on SmolLM2; name a model that it fits too, as in MODEL+a"),
        ({"model": "nope+a"}, 404, "nope"),
        ({"adapters": ["a", "b", "wide"]}, 400, "scheduler.max_adapters allows 2"),
        ({"adapters": [{"name": "a", "scale": 1e9}]}, 400, "scale"),
        (
            {"model": "smollm2+wide"},
            400,
            "the adapter 'wide' can't be applied: ",
        ),
    ],
)
def test_what_can_t_be_applied_is_said_in_one_line(
    server: Server, fields: dict[str, Any], status: int, message: str
) -> None:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": STORY}], **fields}
    answered, answer = server.request("/v1/chat/completions", body)
    assert (answered, message in answer["error"]["message"]) == (status, True), answer
    if "wide" in str(fields) and "max" not in message:
        said = answer["error"]["message"]
        assert "q_proj.lora_A.weight' of shape (8, 640)" in said
        assert "use it with the model that it was trained for, SmolLM2" in said


def test_streams_go_on_while_an_adapter_is_loaded_and_with_the_same_text(server: Server, tmp_path: Path) -> None:
    plain = ask(server, "Tell me a long story.", max_tokens=200)
    pull(server, adapter(tmp_path / "late", 9))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = pool.submit(ask, server, "Tell me a long story.", max_tokens=200)
        late = pool.submit(ask, server, model="smollm2+late")
        assert running.result() == plain
        assert late.result() != ask(server)
    assert server.request("/api/delete", {"model": "late"}, "DELETE")[0] == 200


def test_an_adapter_that_is_removed_while_it_is_used_serves_its_stream_to_the_end(
    server: Server, tmp_path: Path
) -> None:
    pull(server, adapter(tmp_path / "short", 7))
    fields = {"model": "smollm2+short", "max_tokens": 200, "ignore_eos": True}
    whole = ask(server, **fields)
    pieces = server.stream(STORY, **fields)
    text = ""
    for index, chunk in enumerate(pieces):
        text += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        if index == 3:
            assert server.request("/api/delete", {"model": "short"}, "DELETE")[0] == 200
    assert text == whole
    body = {"model": "smollm2+short", "messages": [{"role": "user", "content": STORY}]}
    eventually(lambda: server.request("/v1/chat/completions", body)[0] == 404)
    # Its place is taken by others: nothing of it is left behind.
    assert ask(server, model="smollm2+a+b") == ask(server, model="smollm2+a+b")


def test_streams_with_adapters_finish_with_the_same_text_though_the_executor_is_killed(server: Server) -> None:
    ways = [*WAYS[:3], WAYS[4]]

    def stream(way: dict[str, Any], seen: list[str]) -> str:
        for chunk in server.stream(STORY, **{"max_tokens": 250, "ignore_eos": True, **way}):
            assert "error" not in chunk, chunk
            seen.extend(choice["delta"].get("content") or "" for choice in chunk["choices"])
        return "".join(seen)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        undisturbed = list(pool.map(lambda way: stream(way, []), ways))
        seen: list[list[str]] = [[] for _ in ways]
        streams = [pool.submit(stream, way, each) for way, each in zip(ways, seen, strict=True)]
        (executor,) = server.actors()
        while not all(any(each) for each in seen):
            time.sleep(0.002)
        os.kill(executor, signal.SIGKILL)
        assert not any(done.done() for done in streams), "nothing was left to go on with"
        assert [done.result() for done in streams] == undisturbed
    assert server.actors() != [executor]


def test_ollama_s_create_makes_a_model_with_an_adapter(server: Server, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "made", 1)
    files = {path.name: upload(server, path) for path in folder.iterdir()}
    body = {"model": "sailor", "from": "smollm2", "adapters": files, "system": "Be brief.", "stream": False}
    assert server.request("/api/create", body) == (200, {"status": "success"})
    _, shown = server.request("/api/show", {"model": "sailor"})
    assert "\nADAPTER " in shown["modelfile"]
    made = ask(
        server, model="sailor", messages=[{"role": "system", "content": "x"}, {"role": "user", "content": STORY}]
    )
    same = ask(
        server, model="smollm2+a", messages=[{"role": "system", "content": "x"}, {"role": "user", "content": STORY}]
    )
    assert made == same
    wrong = {path.name: upload(server, path) for path in adapter(tmp_path / "wrong", 1, width=640).iterdir()}
    status, answer = server.request("/api/create", {**body, "model": "odd", "adapters": wrong})
    assert status == 400
    assert "lora_A.weight' of shape (8, 640)" in answer["error"]
    assert server.request("/api/delete", {"model": "sailor"}, "DELETE")[0] == 200


def pull(server: Server, folder: Path) -> None:
    status, answer = server.request("/api/pull", {"model": str(folder), "stream": False})
    assert (status, answer) == (200, {"status": "success"})


def upload(server: Server, path: Path) -> str:
    data = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert server.request(f"/api/blobs/{digest}", data)[0] in (200, 201)
    return digest
