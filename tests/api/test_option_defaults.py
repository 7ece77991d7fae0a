"""A model's own parameters stand where a request names none, on every surface."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mlxr.api.model_defaults import with_option_defaults
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.tokenizer import Generate, TextPrompt
from tests.http.rig import ENTRY

OPTIONS = {
    "temperature": 0.1,
    "top_k": 7,
    "top_p": 0.5,
    "repeat_penalty": 1.2,
    "stop": ["END"],
    "num_predict": 9,
    "num_ctx": 64,
    "seed": 3,
    "num_gpu": 1,
}


def made(options: dict[str, Any], command: Generate, **given: Any) -> Generate:
    entry = msgspec.structs.replace(ENTRY, options=msgspec.json.encode(options))
    return with_option_defaults(command, SimpleNamespace(**given), entry)


def test_what_a_request_leaves_open_is_the_models() -> None:
    command = made(OPTIONS, Generate(1, TextPrompt("a"), Sampling(seed=99)), temperature=None)
    assert command.sampling == Sampling(temperature=0.1, top_k=7, top_p=0.5, repetition_penalty=1.2, seed=3)
    assert (command.stop_strings, command.max_tokens, command.context_length) == (["END"], 9, 64)


def test_what_a_request_says_stands() -> None:
    asked = Generate(1, TextPrompt("a"), Sampling(1.5, top_k=2, seed=5), max_tokens=2, stop_strings=["x"])
    command = made(OPTIONS, asked, temperature=1.5, top_k=2, top_p=1.0, repetition_penalty=1.0, seed=5)
    assert command == msgspec.structs.replace(asked, context_length=64)


@pytest.mark.parametrize("options", [{}, {"temperature": "hot", "stop": [1], "num_ctx": -1, "seed": -1, "top_k": None}])
def test_what_is_no_parameter_changes_nothing(options: dict[str, Any]) -> None:
    command = Generate(1, TextPrompt("a"))
    assert made(options, command) == command
    assert with_option_defaults(command, object(), None) == command


def test_a_request_for_no_limit_on_tokens_has_none() -> None:
    assert made({"num_predict": 9}, Generate(1, TextPrompt("a"), unlimited=True)).max_tokens is None


def test_no_limit_on_the_likeliest_is_none() -> None:
    assert made({"top_k": 0}, Generate(1, TextPrompt("a"))).sampling.top_k is None


@pytest.mark.parametrize(("own", "asked", "most"), [(0, None, 0), (4, None, 4), (-1, None, None), (4, 0, 0), (0, 9, 9)])
def test_how_much_is_drafted_is_the_requests_or_the_models(own: int, asked: int | None, most: int | None) -> None:
    command = Generate(1, TextPrompt("a"), most_drafted=asked)
    assert made({"draft_num_predict": own}, command).most_drafted == most
