"""A server with speculation answers byte for byte as one without, on every surface, though its executor is killed."""

from __future__ import annotations

import concurrent.futures
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

from tests.server import Server, serving

STREAMS = 16
VOLATILE = {
    *("id", "created", "created_at", "usage", "timings", "system_fingerprint", "total_duration", "load_duration"),
    *("prompt_eval_duration", "eval_duration", "prompt_eval_count", "draft_count", "draft_accepted_count"),
    "prompt_cached_count",
}
"""What differs between any two answers, or tells how they came about."""

CODE = "for name in names:\n    print(name)\nfor name in names:\n    print(name.upper())\n"
PROMPTS = [
    f"Repeat this program: {CODE}",
    "Write the numbers from one to ten, then write them again.",
    "Say: the cat sat on the mat, the cat sat on the hat, the cat sat on",
    "Tell me a story about a fox.",
]
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"first_name": {"type": "string"}, "last_name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["first_name", "last_name", "age"],
    "additionalProperties": False,
}


def asked(pick: random.Random) -> tuple[str, dict[str, Any]]:
    """A path and a body."""
    messages = [{"role": "user", "content": pick.choice(PROMPTS)}]
    warm = {"temperature": pick.choice([0, 0.8]), "seed": pick.randrange(1000), "top_p": pick.choice([1, 0.9])}
    chat = {"model": "smollm2", "messages": messages, "max_tokens": pick.randint(20, 80), **warm}
    match pick.randrange(8):
        case 0:
            return "/v1/chat/completions", chat | {"tools": [TOOL], "tool_choice": "required"}
        case 1:
            held = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
            return "/v1/chat/completions", chat | {"response_format": held}
        case 2:
            return "/v1/chat/completions", chat | {"logprobs": True, "top_logprobs": 2, "frequency_penalty": 0.5}
        case 3:
            return "/v1/chat/completions", chat | {"n": 3, "stop": ["fox", "name"], "stream": True}
        case 4:
            return "/v1/messages", chat | {"stop_sequences": ["cat"], "temperature": 0}  # It has no seeds.
        case 5:
            options = {"num_predict": 60, "repeat_penalty": 1.2, **warm}
            return "/api/chat", {"model": "smollm2", "messages": messages, "stream": False, "options": options}
        case 6:
            options = {"num_predict": 60, **warm}
            return "/api/chat", {"model": "smollm2", "messages": messages, "format": SCHEMA, "options": options}
    return "/v1/completions", {"model": "smollm2", "prompt": pick.choice(PROMPTS), "max_tokens": 60, **warm}


def stripped(value: Any) -> Any:
    """What an answer says, without what is of its own; the events of a stream choice by choice."""
    match value:
        case dict():
            return {key: stripped(part) for key, part in value.items() if key not in VOLATILE}
        case list():
            return [stripped(part) for part in value]
        case str() if value.startswith(("data: ", "{")) and "\n" in value:
            return sorted((stripped(_event(line)) for line in value.splitlines() if line.strip()), key=_choice)
    return value


def _event(line: str) -> Any:
    text = line.removeprefix("data: ")
    return json.loads(text) if text.startswith("{") else text


def _choice(event: Any) -> int:
    choices = event.get("choices") if isinstance(event, dict) else None
    return choices[0]["index"] if choices else 0


def answers(server: Server, requests: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Asks over many streams; the executor is killed while they are at it."""
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        asked = [pool.submit(server.request, path, body) for path, body in requests]
        concurrent.futures.wait(asked[: len(asked) // 3])
        (executor,) = server.actors()
        os.kill(executor, signal.SIGKILL)
        got = [future.result() for future in asked]
    assert [status for status, _ in got] == [200] * len(got), [body for status, body in got if status != 200]
    assert server.actors() != [executor]
    return [stripped(body) for _, body in got]


def test_every_answer_is_the_same_with_speculation_and_without(tmp_path: Path) -> None:
    pick = random.Random(5)
    requests = [asked(pick) for _ in range(36)]
    said = {}
    for enabled in ("false", "true"):
        # As its own draft model it is as slow as it is right, and is tried now and then.
        own = tmp_path / enabled / "models.d" / "smollm2.toml"
        own.parent.mkdir(parents=True)
        own.write_text('[parameters]\ndraft_model = "smollm2"\n')
        settings = ("--set", "kv.pool_tokens=2048", "--set", f"speculation.enabled={enabled}")
        with serving(tmp_path / enabled, "smollm2", *settings) as server:
            said[enabled] = answers(server, requests)
            drafted = server.metric("mlxr_drafted_tokens_total")
            assert (drafted > 0) == (enabled == "true")
            if enabled == "true":
                assert 'kind="draft_model",outcome="accepted"' in server.request("/metrics")[1]
                assert server.request("/api/ps")[1]["models"][0]["draft_model"] == "smollm2"
                status, body = server.request("/v1/completions", {"prompt": "a", "draft_model": "another"})
                assert status == 400
                assert "its draft model is smollm2" in body["error"]["message"]
    for request, without, with_it in zip(requests, said["false"], said["true"], strict=True):
        assert with_it == without, request
