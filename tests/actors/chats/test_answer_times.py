"""How fast an answer was."""

from __future__ import annotations

import time

import pytest

from mlxr.actors.chats.answer_times import AnswerTimes
from mlxr.api.chats.views import ChatTurn


@pytest.mark.parametrize(("seconds", "rate"), [(0.5, 40.0), (0.0001, None)])
def test_tokens_that_were_passed_on_at_once_tell_no_speed(
    seconds: float, rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    times = AnswerTimes(ChatTurn(id="a", parent=None, role="assistant", created=0.0))
    assert times.rate(20) is None
    times.take(reasoning=False)
    clock[0] += seconds
    times.take(reasoning=False)
    assert times.rate(20) == (None if rate is None else pytest.approx(rate))
    assert times.rate(0) is None
