"""Sampling as the native module takes it."""

from __future__ import annotations

from mlxr.metal.cpu import _native
from mlxr.metal.sampling import SamplingBatch


def sampling_rows(batch: SamplingBatch) -> _native.SamplingRows:
    return _native.SamplingRows(
        temperature=batch.temperature,
        top_k=batch.top_k,
        top_p=batch.top_p,
        min_p=batch.min_p,
        typical_p=batch.typical_p,
        repetition=batch.repetition_penalty,
        presence=batch.presence_penalty,
        frequency=batch.frequency_penalty,
        uniform=batch.uniform,
        history=batch.history,
        generated=batch.generated,
        bias_rows=batch.bias_rows,
        bias_tokens=batch.bias_tokens,
        bias_values=batch.bias_values,
        forbidden=None if batch.validator is None else batch.validator.forbidden,
        logprobs=-1 if batch.logprobs is None else batch.logprobs,
    )
