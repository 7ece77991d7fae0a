"""A request that carries tokens is a sequence as it stands after an executor's death."""

from __future__ import annotations

from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds


def test_a_request_that_carries_tokens_goes_on_behind_them_and_counts_them() -> None:
    submit = Submit(1, TokenIds.of([5, 6, 7]), max_tokens=4, sampling=Sampling(seed=9), output=TokenIds.of([8, 9]))
    request = open_request(submit, 1)
    (sequence,) = request.sequences
    setup = sequence.setup()
    assert setup.tokens.list() == [5, 6, 7, 8, 9]
    assert setup.prompt_length == 3, "penalties, constraints and log-probabilities tell the output from the prompt"
    assert (sequence.length, sequence.remaining, sequence.max_length) == (5, 5, 7)
    assert sequence.may_sample
    assert request.usage(0.0).completion_tokens == 2
    assert request.usage(0.0).prompt_tokens == 3
