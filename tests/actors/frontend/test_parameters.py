"""What telemetry says of a request's parameters."""

from __future__ import annotations

import json

from mlxr.actors.frontend.parameters import shown_caller, shown_parameters
from mlxr.runtime.messages.common import Constraint, ConstraintKind, Sampling
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Embed, Generate, TextPrompt

SECRET = "what the client wrote"


def test_nothing_that_a_client_wrote_is_told() -> None:
    command = Generate(
        1,
        ChatPrompt([ChatMessage("user", SECRET)], template=SECRET),
        Sampling(temperature=0.5, seed=2**60, logit_bias={1: 2.0, 3: 4.0}),
        max_tokens=7,
        stop_strings=[SECRET, SECRET],
        constraint=Constraint(ConstraintKind.REGEX, SECRET),
    )
    shown = shown_parameters(command)
    assert SECRET not in json.dumps(shown)
    assert shown == {
        "temperature": 0.5,
        "seed": str(2**60),
        "logit_bias": 2,
        "max_tokens": 7,
        "stop_strings": 2,
        "constraint": "regex",
        "messages": 1,
    }
    assert SECRET not in json.dumps(shown_parameters(Embed(1, TextPrompt(SECRET), prompt_name=SECRET)))


def test_of_a_key_the_beginning_of_its_digest_is_told_and_addresses_as_they_are() -> None:
    assert shown_caller("0123456789abcdef" * 4) == "key 01234567"
    assert shown_caller("127.0.0.1") == "127.0.0.1"
    assert shown_caller(None) == ""
