"""What sampling takes of each row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.executor.constraints import MatcherValidator
from mlxr.actors.executor.sampling import SamplingBatches, sampling_batch
from mlxr.actors.executor.sequences import Sequence, uniform
from mlxr.runtime.messages.common import Sampling


@given(st.integers(0, 2**63 - 1), st.integers(0, 100_000))
def test_random_numbers_are_a_function_of_seed_and_position(seed: int, position: int) -> None:
    assert 0.0 <= uniform(seed, position) < 1.0
    assert uniform(seed, position) == uniform(seed, position)


def test_random_numbers_are_spread_evenly() -> None:
    numbers = [uniform(seed, position) for seed in range(20) for position in range(200)]
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert counts.min() > 300
    assert counts.max() < 500


def sequence(sampling: Sampling, tokens: list[int], prompt: int) -> Sequence:
    return Sequence(1, sampling, tokens, prompt, None, True)


def test_rows_without_penalties_have_no_history() -> None:
    batch = sampling_batch([sequence(Sampling(temperature=0.5), [1, 2, 3], 2)], [3])
    assert batch.history is None
    assert batch.temperature.tolist() == [0.5]


def test_presence_counts_generated_tokens_and_repetition_all() -> None:
    rows = [
        sequence(Sampling(repetition_penalty=1.1), [1, 2, 3, 4], 3),
        sequence(Sampling(presence_penalty=1.0, penalty_window=2), [1, 2, 3, 4], 3),
        sequence(Sampling(presence_penalty=1.0, penalty_window=3, penalize_prompt=True), [1, 2, 3, 4], 3),
        sequence(Sampling(), [1, 2], 1),
    ]
    batch = sampling_batch(rows, [4, 4, 4, 2])
    assert batch.history is not None
    assert batch.generated is not None
    assert batch.history.tolist() == [[1, 2, 3, 4], [3, 4, -1, -1], [2, 3, 4, -1], [-1, -1, -1, -1]]
    assert batch.generated.tolist() == [
        [False, False, False, True],
        [False, True, False, False],
        [True, True, True, False],
        [False, False, False, False],
    ]


def test_penalties_behind_a_draft_count_what_is_drafted_before() -> None:
    own = sequence(Sampling(presence_penalty=1.0, penalty_window=3), [1, 2, 3], 2)
    batch = sampling_batch([own] * 5, [3, 4, 5, 6, 7], drafts={0: [7, 8, 9, 7]})
    assert batch.history is not None
    assert batch.generated is not None
    assert batch.history.tolist() == [[1, 2, 3], [2, 3, 7], [3, 7, 8], [7, 8, 9], [8, 9, 7]]
    assert batch.generated.tolist() == [[False, False, True], [False, True, True], *[[True] * 3] * 3]
    assert own.tokens == [1, 2, 3]


def test_bias_of_all_rows_is_one_list_of_triples() -> None:
    rows = [sequence(Sampling(logit_bias={5: 1.0, 6: -2.0}), [1], 1), sequence(Sampling(logit_bias={7: 3.0}), [1], 1)]
    batch = sampling_batch(rows, [1, 1])
    assert batch.bias_rows is not None
    assert batch.bias_tokens is not None
    assert batch.bias_values is not None
    assert list(zip(batch.bias_rows.tolist(), batch.bias_tokens.tolist(), batch.bias_values.tolist(), strict=True)) == [
        (0, 5, 1.0),
        (0, 6, -2.0),
        (1, 7, 3.0),
    ]


def test_settings_are_kept_for_greedy_rows_and_drawn_anew_for_others() -> None:
    settings = SamplingBatches()
    greedy = [sequence(Sampling(temperature=0.0), [1, 2], 2), sequence(Sampling(temperature=0.0, top_k=3), [1], 1)]
    first = settings.of(greedy, [2, 1], None)
    assert settings.of(greedy, [3, 2], None) is first
    warm = [greedy[0], sequence(Sampling(temperature=0.7, seed=5), [1], 1)]
    for position in (4, 5):
        made, expected = settings.of(warm, [4, position], None), sampling_batch(warm, [4, position])
        assert made.uniform.tolist() == expected.uniform.tolist()
        assert made.temperature.tolist() == expected.temperature.tolist()
    assert settings.of(greedy[:1], [9], None).rows == 1


def test_settings_take_each_steps_own_validator() -> None:
    settings = SamplingBatches()
    for temperature in (0.0, 0.7):
        rows = [sequence(Sampling(temperature=temperature), [1], 1)]
        for validator in (None, MatcherValidator([None], 64), MatcherValidator([None], 64), None):
            made = settings.of(rows, [1], validator)
            assert made.validator is validator
            assert made.rows == 1


def test_settings_of_rows_that_look_back_are_made_anew() -> None:
    settings = SamplingBatches()
    row = sequence(Sampling(repetition_penalty=1.5), [1, 2], 2)
    assert settings.of([row], [2], None).history is not None
    row.tokens.append(7)
    history = settings.of([row], [3], None).history
    assert history is not None
    assert history.tolist() == [[1, 2, 7]]
