"""Answers of chats go on: without a tab, after the executor's death, and after the server's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.chats import Tabs, new_chat, opening_tabs, send, settled, text_of
from tests.server import Server, eventually, serving

SETTINGS = ("--set", "kv.pool_tokens=8192")
ASK = "Tell me a long story about a fox and a lighthouse."
LONG = 64
KILLED = 192
"""Tokens of an answer whose server is killed: whoever kills it may be put off for a while and still comes midway."""
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "seeded": {"temperature": 0.9, "seed": 7},
    "with penalties": {"temperature": 0.8, "seed": 3, "repetition_penalty": 1.2, "frequency_penalty": 0.5},
    "held to a schema": {
        "temperature": 0.8,
        "seed": 5,
        "json_schema": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 150},
    },
}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("chats"), "smollm2", *SETTINGS) as server:
        yield server


@pytest.fixture
def tabs() -> Iterator[Tabs]:
    with opening_tabs() as opened:
        yield opened


def begin(server: Server, way: str, tokens: int = LONG) -> tuple[str, str]:
    """A chat, and its answer on its way."""
    chat = new_chat(server, parameters={**WAYS[way], "max_tokens": tokens})
    return chat, send(server, chat, ASK)["answers"][0]["id"]


def undisturbed(server: Server, way: str, tokens: int = LONG) -> str:
    return text_of(settled(server, *begin(server, way, tokens)))


def test_an_answer_goes_on_when_its_tab_closes_and_every_tab_sees_the_same(mortal: Server, tabs: Tabs) -> None:
    expected = undisturbed(mortal, "greedy")
    chat, answer = begin(mortal, "greedy")
    first = tabs(mortal, chat)
    first.wait(lambda: first.tokens(answer) > 5)
    first.close()
    seen = first.tokens(answer)
    again, late = tabs(mortal, chat, first), tabs(mortal, chat)
    for tab in (again, late):
        tab.wait(lambda tab=tab: tab.ended(answer))
        assert tab.text(answer) == expected
        assert not tab.doubled
    assert "snapshot" not in again.names, "who comes back gets what it missed, and not everything again"
    assert 5 < seen < again.tokens(answer) == LONG


@pytest.mark.parametrize("way", ["greedy", "with penalties"])
def test_an_answer_goes_on_though_the_executor_is_killed(mortal: Server, tabs: Tabs, way: str) -> None:
    expected = undisturbed(mortal, way, KILLED)
    chat, answer = begin(mortal, way, KILLED)
    tab = tabs(mortal, chat)
    tab.wait(lambda: tab.tokens(answer) > 15)
    (executor,) = mortal.actors()
    os.kill(executor, signal.SIGKILL)
    tab.wait(lambda: tab.ended(answer))
    assert tab.text(answer) == expected
    assert not tab.doubled


@pytest.mark.parametrize("way", list(WAYS))
def test_an_answer_goes_on_where_it_was_though_the_server_is_killed(tmp_path: Path, tabs: Tabs, way: str) -> None:
    with serving(tmp_path / "home", "smollm2", *SETTINGS) as server:
        expected = undisturbed(server, way, KILLED)
        chat, answer = begin(server, way, KILLED)
        tab, gone = tabs(server, chat), tabs(server, chat)
        gone.wait(lambda: gone.tokens(answer) > 5)
        gone.close()
        tab.wait(lambda: tab.tokens(answer) > 15)
        server.process.kill()
        server.process.wait()
        tab.close()
        assert not tab.ended(answer), "nothing was left to go on with"
        shown = tab.text(answer)
        again = Server(server.home, "smollm2", *SETTINGS)
        try:
            again.wait_ready()
            back = tabs(again, chat, tab)
            earlier = tabs(again, chat, gone)
            for one in (back, earlier):
                one.wait(lambda one=one: one.ended(answer))
                assert one.text(answer) == expected
                assert not one.doubled
            assert expected.startswith(shown)
            assert "snapshot" not in back.names
            assert settled(again, chat, answer)["usage"]["completion_tokens"] == KILLED
        finally:
            again.close()


def test_an_answer_without_a_seed_gets_one_and_is_the_same_when_asked_for_with_it(mortal: Server) -> None:
    chat = new_chat(mortal, parameters={"temperature": 1.0, "max_tokens": 24})
    answer = settled(mortal, chat, send(mortal, chat, ASK)["answers"][0]["id"])
    other = new_chat(mortal, parameters=answer["parameters"])
    assert text_of(settled(mortal, other, send(mortal, other, ASK)["answers"][0]["id"])) == text_of(answer)


def test_a_server_that_is_told_to_end_leaves_answers_for_its_next_life(tmp_path: Path, tabs: Tabs) -> None:
    quick = (*SETTINGS, "--set", "server.drain_seconds=0")
    with serving(tmp_path / "home", "smollm2", *quick) as server:
        expected = undisturbed(server, "seeded", KILLED)
        chat, answer = begin(server, "seeded", KILLED)
        tab = tabs(server, chat)
        tab.wait(lambda: tab.tokens(answer) > 15)
        assert server.terminate() == 0
        tab.close()
        again = Server(server.home, "smollm2", *SETTINGS)
        try:
            again.wait_ready()
            assert text_of(settled(again, chat, answer)) == expected
        finally:
            again.close()


@pytest.mark.parametrize("way", list(WAYS))
def test_a_cut_answer_that_is_gone_on_with_is_the_uncut_one(mortal: Server, tabs: Tabs, way: str) -> None:
    expected = undisturbed(mortal, way)
    chat, answer = begin(mortal, way, tokens=21)
    assert settled(mortal, chat, answer)["state"] == "cut"
    tab = tabs(mortal, chat)
    path = f"/api/ui/chats/{chat}/messages/{answer}/continue"
    status, went_on = mortal.request(path, {"max_tokens": LONG - 21})
    assert status == 200, went_on
    assert [message["id"] for message in went_on["answers"]] == [answer]
    tab.wait(lambda: tab.messages[answer]["state"] == "cut" and tab.tokens(answer) == LONG)
    assert tab.text(answer) == text_of(settled(mortal, chat, answer)) == expected
    assert not tab.doubled


def test_stop_aborts_the_request_and_the_answer_can_be_gone_on_with(mortal: Server, tabs: Tabs) -> None:
    expected = undisturbed(mortal, "greedy")
    chat, answer = begin(mortal, "greedy", tokens=4000)
    tab = tabs(mortal, chat)
    tab.wait(lambda: tab.tokens(answer) > 10)
    status, stopped = mortal.request(f"/api/ui/chats/{chat}/messages/{answer}/stop", {})
    assert status == 200, stopped
    (message,) = stopped["answers"]
    assert (message["state"], message["finish_reason"], message["continuable"]) == ("stopped", "cancelled", True)
    eventually(lambda: mortal.metric("mlxr_open_requests") == 0)
    eventually(lambda: mortal.metric("mlxr_running_sequences") == 0)
    assert expected.startswith(text_of(message))
    more = LONG - message["tokens"]
    assert mortal.request(f"/api/ui/chats/{chat}/messages/{answer}/continue", {"max_tokens": more})[0] == 200
    assert text_of(settled(mortal, chat, answer)) == expected
