"""The figures behind an answer."""

from __future__ import annotations

from mlxr.cli.run.statistics import Figures

LAST = {
    "done_reason": "stop",
    "total_duration": 2_500_000_000,
    "load_duration": 1,
    "prompt_eval_count": 100,
    "prompt_cached_count": 60,
    "prompt_eval_duration": 500_000_000,
    "eval_count": 50,
    "eval_duration": 2_000_000_000,
}


def test_figures_are_those_of_ollama_with_the_first_token_and_what_was_cached() -> None:
    assert Figures(LAST, 0.25, loading=0.5).lines() == [
        "total duration:       3.000s",
        "load duration:        500.000ms",
        "time to first token:  250.000ms",
        "prompt eval count:    100 token(s)",
        "prompt cached count:  60 token(s)",
        "prompt eval duration: 500.000ms",
        "prompt eval rate:     80.00 tokens/s",
        "eval count:           50 token(s)",
        "eval duration:        2.000s",
        "eval rate:            25.00 tokens/s",
    ]


def test_an_answer_without_tokens_has_no_rates() -> None:
    figures = Figures({"total_duration": 90_000_000_000, "eval_duration": 1, "eval_count": 0}, None)
    assert "total duration:       1m30.000s" in figures.lines()
    assert not [line for line in figures.lines() if "rate" in line or "first token" in line]
    assert figures.plain()["tokens_per_second"] is None
