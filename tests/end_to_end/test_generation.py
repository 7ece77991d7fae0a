"""Text from the real SmolLM2, through a real server."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import openai
import pytest

from tests.server import Server

STORY = "Tell me about the sea."


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def test_a_sensible_answer_comes_back(server: Server) -> None:
    answer = server.chat("Is the sky blue or green? Answer in one word.", max_tokens=16)
    assert "blue" in text_of(answer).lower()
    assert answer["usage"]["completion_tokens"] <= 16


def test_a_stream_says_the_same_as_a_whole_answer(server: Server) -> None:
    whole = text_of(server.chat(STORY, max_tokens=30))
    chunks = list(server.stream(STORY, max_tokens=30))
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == whole
    assert len({(c["id"], c["created"]) for c in chunks}) == 1


def test_the_openai_package_streams_and_completes(server: Server) -> None:
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none") as client:
        messages: list[Any] = [{"role": "user", "content": STORY}]
        stream = client.chat.completions.create(
            model="smollm2", messages=messages, max_tokens=20, temperature=0, stream=True
        )
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        whole = client.chat.completions.create(model="smollm2", messages=messages, max_tokens=20, temperature=0)
        assert streamed == whole.choices[0].message.content
        assert client.models.list().data[0].id == "smollm2"


def test_a_seeded_request_reads_the_same_alone_and_in_company(server: Server) -> None:
    fields = {"temperature": 1.0, "top_p": 0.95, "seed": 42, "max_tokens": 24}
    alone = text_of(server.chat(STORY, **fields))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        others = [pool.submit(server.chat, f"Count from {i}.", temperature=0.7, max_tokens=24) for i in range(6)]
        again = pool.submit(server.chat, STORY, **fields)
        assert text_of(again.result()) == alone
        concurrent.futures.wait(others)
    assert text_of(server.chat(STORY, **{**fields, "seed": 43})) != alone


def test_rows_of_one_batch_keep_their_own_settings(server: Server) -> None:
    greedy = text_of(server.chat(STORY, max_tokens=16))
    settings: list[dict[str, Any]] = [
        {"temperature": 0},
        {"temperature": 1.5, "seed": 1},
        {"temperature": 0.7, "top_p": 0.5, "seed": 2},
        {"temperature": 0, "frequency_penalty": 1.5},
        {"temperature": 1.0, "top_k": 1, "seed": 3},
    ]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda s: text_of(server.chat(STORY, max_tokens=16, **s)), settings))
    assert texts[0] == texts[4] == greedy
    assert texts[1] != greedy


def test_choices_differ_and_share_one_prompt(server: Server) -> None:
    answer = server.chat(STORY, n=3, temperature=1.2, seed=5, max_tokens=12)
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len(set(texts)) > 1
    assert answer["usage"]["completion_tokens"] <= 36


def test_a_stop_string_ends_the_text_before_it(server: Server) -> None:
    whole = text_of(server.chat(STORY, max_tokens=30))
    stop = whole[20:24]
    answer = server.chat(STORY, max_tokens=30, stop=[stop])
    assert text_of(answer) == whole[: whole.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_logprobs_agree_with_the_greedy_choice(server: Server) -> None:
    answer = server.chat(STORY, max_tokens=5, logprobs=True, top_logprobs=3)
    entries = answer["choices"][0]["logprobs"]["content"]
    assert len(entries) == 5
    for entry in entries:
        assert len(entry["top_logprobs"]) == 3
        assert entry["logprob"] == entry["top_logprobs"][0]["logprob"]
        assert entry["token"] == entry["top_logprobs"][0]["token"]


def test_a_prompt_seen_before_comes_from_the_cache(server: Server) -> None:
    long = "The quick brown fox jumps over the lazy dog. " * 20
    first = server.chat(long, max_tokens=4)
    second = server.chat(long, max_tokens=4)
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] >= 160
    assert text_of(first) == text_of(second)


def test_completions_echo_and_score_a_prompt(server: Server) -> None:
    body = {
        "model": "smollm2",
        "prompt": "The capital of France is Paris",
        "max_tokens": 0,
        "echo": True,
        "logprobs": 1,
    }
    status, answer = server.request("/v1/completions", body)
    assert status == 200, answer
    choice = answer["choices"][0]
    assert choice["text"] == body["prompt"]
    assert choice["logprobs"]["token_logprobs"][0] is None
    scores = choice["logprobs"]["token_logprobs"][1:]
    assert len(scores) == answer["usage"]["prompt_tokens"] - 1 > 3
    assert all(value <= 0 for value in scores)
    assert answer["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize("streaming", [False, True])
def test_the_length_limit_is_kept(server: Server, streaming: bool) -> None:
    if streaming:
        chunks = list(server.stream(STORY, max_tokens=3, stream_options={"include_usage": True}))
        assert [c for c in chunks if c["choices"]][-1]["choices"][0]["finish_reason"] == "length"
        assert chunks[-1]["usage"]["completion_tokens"] == 3
    else:
        answer = server.chat(STORY, max_tokens=3)
        assert answer["usage"]["completion_tokens"] == 3
        assert answer["choices"][0]["finish_reason"] == "length"
