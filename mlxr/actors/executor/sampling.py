"""From sequences to the arrays that sampling takes: one entry a row, all rows together. NumPy only."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.sequences import Sequence, uniform
from mlxr.actors.executor.token_validator import NO_DRAFTS, Drafts
from mlxr.metal.sampling import SamplingBatch, TokenValidator
from mlxr.runtime.messages.common import Sampling


class SamplingBatches:
    """Makes the sampling batch of one step after another. That of the step before is used again where the rows are the
    same: all of it if every row is greedy, all but the random numbers otherwise."""

    def __init__(self) -> None:
        self._params: list[Sampling] = []
        self._batch: SamplingBatch | None = None

    def of(
        self,
        rows: list[Sequence],
        positions: list[int],
        validator: TokenValidator | None,
        drafts: Drafts = NO_DRAFTS,
    ) -> SamplingBatch:
        """As ``sampling_batch``."""
        before, params = self._batch, [row.sampling for row in rows]
        same = len(params) == len(self._params) and all(map(operator.is_, params, self._params))
        if before is None or not same or any(row.penalised for row in rows):
            self._params, self._batch = params, sampling_batch(rows, positions, validator, drafts)
        elif any(p.temperature for p in params):
            self._batch = replace(before, uniform=_uniform(params, positions), validator=validator)
        elif validator is not before.validator:
            self._batch = replace(before, validator=validator)
        assert self._batch is not None
        return self._batch


def sampling_batch(
    rows: list[Sequence],
    positions: list[int],
    validator: TokenValidator | None = None,
    drafts: Drafts = NO_DRAFTS,
) -> SamplingBatch:
    """``positions[i]`` is where row i's next token goes; it picks the row's random number. ``drafts``: what some rows
    come behind, beside the tokens of their sequences."""
    params = [row.sampling for row in rows]

    def column(read: Callable[[int], float]) -> NDArray[np.float32]:
        return np.array([read(i) for i in range(len(params))], np.float32)

    history, generated = _history(rows, drafts)
    bias = [(i, token, value) for i, p in enumerate(params) for token, value in p.logit_bias.items()]
    return SamplingBatch(
        temperature=column(lambda i: params[i].temperature),
        top_k=np.array([p.top_k or 0 for p in params], np.int32),
        top_p=column(lambda i: params[i].top_p),
        min_p=column(lambda i: params[i].min_p),
        typical_p=column(lambda i: params[i].typical_p),
        repetition_penalty=column(lambda i: params[i].repetition_penalty),
        presence_penalty=column(lambda i: params[i].presence_penalty),
        frequency_penalty=column(lambda i: params[i].frequency_penalty),
        uniform=_uniform(params, positions),
        history=history,
        generated=generated,
        bias_rows=np.array([b[0] for b in bias], np.int32) if bias else None,
        bias_tokens=np.array([b[1] for b in bias], np.int32) if bias else None,
        bias_values=np.array([b[2] for b in bias], np.float32) if bias else None,
        validator=validator,
        logprobs=max((p.logprobs for p in params if p.logprobs is not None), default=None),
    )


def _uniform(params: list[Sampling], positions: list[int]) -> NDArray[np.float32]:
    numbers = [uniform(p.seed, position) for p, position in zip(params, positions, strict=True)]
    return np.array(numbers, np.float32)


def _history(rows: list[Sequence], drafts: Drafts) -> tuple[NDArray[np.int32] | None, NDArray[np.bool_] | None]:
    """Tokens each row's penalties look back on, padded with -1 to one width; None when no row has penalties."""
    before = {first + 1 + at: draft[: at + 1] for first, draft in drafts.items() for at in range(len(draft))}
    windows = [_window(row, before.get(index, [])) for index, row in enumerate(rows)]
    width = max((len(tokens) for tokens, _ in windows), default=0)
    if not width:
        return None, None
    history = np.full((len(rows), width), -1, np.int32)
    generated = np.zeros((len(rows), width), np.bool_)
    for index, (tokens, counted_from) in enumerate(windows):
        history[index, : len(tokens)] = tokens
        generated[index, counted_from : len(tokens)] = True
    return history, generated


def _window(row: Sequence, drafted: list[int]) -> tuple[list[int], int]:
    """Returns the row's last tokens within its penalty window, of which the last are ``drafted``, and from which of
    them on presence and frequency count."""
    s = row.sampling
    if not row.penalised:
        return [], 0
    begin = max(0, len(row.tokens) + len(drafted) - s.penalty_window) if s.penalty_window is not None else 0
    counted = 0 if s.penalize_prompt else max(0, row.prompt_length - begin)
    return row.tokens[begin:] + drafted[max(0, begin - len(row.tokens)) :], counted
