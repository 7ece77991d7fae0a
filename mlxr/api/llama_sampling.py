"""Sampling by the options of llama.cpp's server, which are Ollama's, too."""

from __future__ import annotations

from typing import Protocol

from mlxr.api.parameters import seed
from mlxr.runtime.messages.common import Sampling

PENALTY_WINDOW = 64


class LlamaOptions(Protocol):
    """Options that both servers call alike; None for what a request leaves out."""

    @property
    def temperature(self) -> float | None: ...
    @property
    def top_k(self) -> int | None: ...
    @property
    def top_p(self) -> float | None: ...
    @property
    def min_p(self) -> float | None: ...
    @property
    def typical_p(self) -> float | None: ...
    @property
    def repeat_last_n(self) -> int | None: ...
    @property
    def presence_penalty(self) -> float | None: ...
    @property
    def frequency_penalty(self) -> float | None: ...
    @property
    def seed(self) -> int | None: ...


def llama_sampling(given: LlamaOptions, *, repeat_penalty: float | None, top_p: float, min_p: float) -> Sampling:
    """Returns the sampling of a request. Penalties look at the last ``repeat_last_n`` tokens, the prompt's included:
    0 switches them off, -1 looks at all. ``top_p``, ``min_p``: the server's own, for a request without."""
    window = PENALTY_WINDOW if given.repeat_last_n is None else given.repeat_last_n
    penalize = window != 0
    return Sampling(
        temperature=0.8 if given.temperature is None else given.temperature,
        top_k=40 if given.top_k is None else given.top_k if given.top_k > 0 else None,
        top_p=top_p if given.top_p is None else given.top_p,
        min_p=min_p if given.min_p is None else given.min_p,
        typical_p=1.0 if given.typical_p is None else given.typical_p,
        repetition_penalty=repeat_penalty or 1.0 if penalize else 1.0,
        presence_penalty=given.presence_penalty or 0.0 if penalize else 0.0,
        frequency_penalty=given.frequency_penalty or 0.0 if penalize else 0.0,
        penalize_prompt=True,
        penalty_window=window if window > 0 else None,
        seed=seed(None if given.seed is None or given.seed < 0 else given.seed),
    )
