from __future__ import annotations

import pytest

from mlxr.models.near_names import MOST_CHARACTERS, MOST_KNOWN, suggestion

KNOWN = ["smollm2", "gemma3", "minilm", "qwen3:0.6b", "hf.co/Org/Tiny-GGUF:Q4_K_M", "you/pirate", "sailor"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("smolm2", "smollm2"),
        ("SmolLM-2", "smollm2"),
        ("gema3:latest", "gemma3"),
        ("qwen3", "qwen3:0.6b"),
        ("qwen3:8b", "qwen3:0.6b"),
        ("pirat", "you/pirate"),
        ("hf.co/org/tiny-gguf", "hf.co/Org/Tiny-GGUF:Q4_K_M"),
        ("smollm2+sailr", "smollm2+sailor"),
        ("smolm2+sailor", "smollm2+sailor"),
    ],
)
def test_a_misspelled_name_has_the_nearest_that_is_here(typed: str, meant: str) -> None:
    assert suggestion(typed, KNOWN) == f"did you mean {meant!r}? "


@pytest.mark.parametrize("typed", ["llama", "x", "", "smollm2", "SMOLLM2:latest", "smollm2+unheard", "s" * 500])
def test_what_is_like_nothing_here_has_no_suggestion(typed: str) -> None:
    assert suggestion(typed, KNOWN) == ""


def test_no_name_is_compared_with_more_than_a_few_hundred() -> None:
    looked_at: list[int] = []

    def many() -> object:
        for number in range(10 * MOST_KNOWN):
            looked_at.append(number)
            yield f"model-{number}"

    suggestion("m" * MOST_CHARACTERS, many())  # type: ignore[arg-type]
    assert len(looked_at) == MOST_KNOWN
