from __future__ import annotations

import json
from typing import Any

import pytest

from mlxr.http.errors import problem_of
from mlxr.http.openai.completion_logprobs import CompletionLogprobs
from mlxr.http.openai.completions import to_generates
from mlxr.http.openai.completions_stream import echo_of
from mlxr.http.openai.schema import CompletionRequest
from mlxr.http.request_body.decode import decode as decode_body
from mlxr.http.settings import ServerSettings
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import TextLogprob
from mlxr.runtime.messages.frontend import PromptLogprobs, Started
from mlxr.runtime.messages.tokenizer import FillPrompt, Generate, TextPrompt, TokenPrompt


def decode(raw: bytes) -> CompletionRequest:
    return decode_body(raw, CompletionRequest).body


def commands(prompt: Any, **fields: Any) -> list[Generate]:
    body = decode(json.dumps({"model": "tiny", "prompt": prompt, **fields}).encode())
    return to_generates(body, ServerSettings(max_prompts=3))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", [TextPrompt("a")]),
        ("", [TextPrompt("")]),
        (["a", "b"], [TextPrompt("a"), TextPrompt("b")]),
        ([1, 2], [TokenPrompt([1, 2])]),
        ([[1, 2], [3]], [TokenPrompt([1, 2]), TokenPrompt([3])]),
    ],
)
def test_prompts_in_every_form(prompt: Any, expected: list[Any]) -> None:
    assert [command.prompt for command in commands(prompt)] == expected


def test_a_suffix_makes_a_gap_to_fill() -> None:
    assert commands("a", suffix="z")[0].prompt == FillPrompt("a", "z")


def test_sixteen_tokens_unless_told_otherwise_and_none_if_told() -> None:
    assert commands("a")[0].max_tokens == 16
    assert commands("a", max_tokens=0, echo=True)[0].max_tokens == 0
    command = commands("a", max_tokens=-1)[0]
    assert (command.max_tokens, command.unlimited) == (None, True)


def test_lm_evals_request_asks_for_the_prompts_scores() -> None:
    (command,) = commands([[1, 2, 3]], echo=True, max_tokens=1, logprobs=1)
    assert (command.echo, command.prompt_logprobs, command.sampling.logprobs) == (True, 1, 1)


def test_best_of_samples_more_and_keeps_scores_to_rank_by() -> None:
    (command,) = commands("a", n=2, best_of=4)
    assert (command.n, command.sampling.logprobs) == (4, 0)


@pytest.mark.parametrize(
    ("prompt", "fields", "param"),
    [
        ([], {}, "prompt"),
        ([1, "a"], {}, "prompt"),
        ([[]], {}, "prompt"),
        (["a"] * 4, {}, "prompt"),
        ([1], {"suffix": "z"}, "prompt"),
        ("a", {"suffix": "z", "echo": True}, "echo"),
        ("a", {"n": 3, "best_of": 2}, "best_of"),
        ("a", {"best_of": 2, "stream": True}, "best_of"),
        ("a", {"logprobs": 6}, "logprobs"),
    ],
)
def test_what_cant_be_honoured_is_a_400_that_names_the_field(prompt: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        commands(prompt, **fields)
    assert (problem_of(raised.value.info).status, raised.value.info.param) == (400, param)


def test_logprobs_start_with_null_and_list_the_sampled_token_and_count_characters() -> None:
    started = Started(1, 3, "né", [1, 2, 3], [b"n", b"\xc3", b"\xa9"])
    pieces = [
        PromptLogprobs(1, 2, [logprob_of("\ufffd", -2, b"\xa9")]),
        PromptLogprobs(1, 1, [logprob_of("\ufffd", -1, b"\xc3")]),
    ]
    made = echo_of(started, pieces).logprobs([logprob_of("!", -0.5, b"!", [("?", -0.1, b"?")])])
    assert made["token_logprobs"] == [None, -1, -2, -0.5]
    assert made["top_logprobs"][0] is None
    assert made["top_logprobs"][3] == {"?": -0.1, "!": -0.5}
    assert made["text_offset"] == [0, 1, 1, 2]


def test_offsets_go_on_from_piece_to_piece() -> None:
    counter = CompletionLogprobs()
    counter.piece([logprob_of("ab", -1, b"ab")])
    assert counter.piece([logprob_of("c", -1, b"c")])["text_offset"] == [2]


def logprob_of(text: str, logprob: float, raw: bytes, top: list[tuple[str, float, bytes]] | None = None) -> TextLogprob:
    return TextLogprob(0, text, logprob, raw, top or [])


def test_prompts_and_their_choices_are_bounded_together() -> None:
    settings = ServerSettings(max_prompts=100, max_choices=10)
    wanted = {"model": "tiny", "prompt": ["a"] * 20}
    assert len(to_generates(decode(json.dumps({**wanted, "n": 5}).encode()), settings)) == 20
    for field in ("n", "best_of"):
        with pytest.raises(RequestError, match="20 prompts of 6 choices each; at most 100") as refused:
            to_generates(decode(json.dumps({**wanted, field: 6}).encode()), settings)
        assert refused.value.info.param == field
