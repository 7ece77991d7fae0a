"""A server whose pages are codes of 8 bits says the same of a prompt whatever happens beside it."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.test_survival import PROMPTS, Reader
from tests.server import Server, serving

STORY = "Once upon a time there was a fox who lived in the woods behind the old mill. " * 40
LENGTH = 60


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Room for a few streams only, so that some are preempted.
    settings = ("--set", "kv.page_type=int8", "--set", "kv.pool_tokens=1536")
    with serving(tmp_path_factory.mktemp("coded"), "smollm2", *settings) as server:
        yield server


def reader(server: Server, prompt: str) -> Reader:
    return Reader(server, prompt, max_tokens=LENGTH, ignore_eos=True)


def test_the_type_of_pages_is_told_of_what_runs(coded: Server) -> None:
    coded.chat("hello", max_tokens=1)
    assert [model["page_type"] for model in coded.request("/api/ps")[1]["models"]] == ["int8"]


def test_texts_are_the_same_alone_in_company_preempted_and_with_the_executor_killed(coded: Server) -> None:
    alone = [reader(coded, prompt).read() for prompt in PROMPTS]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda prompt: reader(coded, prompt).read(), PROMPTS)) == alone
        disturbed = [reader(coded, prompt) for prompt in PROMPTS]
        streams = [pool.submit(one.read) for one in disturbed]
        (executor,) = coded.actors()
        while not any(one.chunks for one in disturbed):
            time.sleep(0.002)
        os.kill(executor, signal.SIGKILL)
        assert [stream.result() for stream in streams] == alone
    assert coded.actors() != [executor]


def test_a_prompt_reads_the_same_from_the_prefix_cache_and_in_forks(coded: Server) -> None:
    first, again = (coded.chat(STORY, max_tokens=24) for _ in range(2))
    assert first["choices"] == again["choices"]
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 700
    messages = [{"role": "user", "content": STORY}]
    body = {"model": "smollm2", "messages": messages, "max_tokens": 24, "n": 3, "temperature": 0}
    status, answer = coded.request("/v1/chat/completions", body)
    assert status == 200
    assert len({choice["message"]["content"] for choice in answer["choices"]}) == 1
