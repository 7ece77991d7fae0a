"""Why a prompt was computed that might have been found, told where people look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server import Server, serving

SYSTEM = "You are a careful assistant who answers in one short sentence and never makes things up. " * 6
PLAN = {"role": "system", "content": SYSTEM}


def asked(server: Server, messages: list[dict[str, Any]], **more: Any) -> tuple[int, str]:
    """Returns how many tokens of the prompt were found, and what the request's own page says of the rest."""
    body = {"model": "smollm2", "messages": messages, "max_tokens": 2, "temperature": 0, **more}
    status, answer = server.request("/v1/chat/completions", body)
    assert status == 200, answer
    status, told = server.request("/api/ui/requests")
    assert status == 200, told
    latest = told["requests"][-1]
    return int(latest["cached_tokens"]), str(latest["miss"])


def test_what_changed_is_named_in_the_requests_and_in_the_log_without_its_words(tmp_path: Path) -> None:
    turns = [PLAN, {"role": "user", "content": "Tell me about rivers in spring, at length. " * 5}]
    more = [*turns, {"role": "assistant", "content": "They rise."}, {"role": "user", "content": "And in summer?"}]
    with serving(tmp_path / "home", "smollm2", "--set", "kv.disk=false", "--set", "kv.pool_tokens=4096") as server:
        assert asked(server, turns) == (0, "")
        found, miss = asked(server, turns)
        assert found > 100
        assert miss == ""
        edited = [PLAN, {"role": "user", "content": "Speak about lakes instead. " * 5}, *more[2:]]
        found, miss = asked(server, edited)
        assert miss.startswith("first differing token ")
        assert miss.endswith(": message 2 (user) changed")
        _, miss = asked(server, [{"role": "system", "content": "Something else. " + SYSTEM}, *more[1:]])
        assert miss.endswith(": the system message changed")
    text = "".join(file.read_text() for file in (tmp_path / "home" / "logs").iterdir())
    assert ": message 2 (user) changed" in text
    assert "lakes" not in text


@pytest.mark.parametrize("setting", ["kv.pool_tokens=512"])
def test_pages_that_others_took_are_told_with_who_took_them(setting: str, tmp_path: Path) -> None:
    turns = [PLAN, {"role": "user", "content": "Tell me about rivers."}]
    other = [{"role": "user", "content": "one two three four five six seven " * 60}]
    with serving(tmp_path / "home", "smollm2", "--set", "kv.disk=false", "--set", setting) as server:
        asked(server, turns)
        asked(server, other)
        _, miss = asked(server, turns)
        assert "were evicted" in miss
        assert "for request" in miss
