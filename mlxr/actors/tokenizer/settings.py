"""Settings of one engine's tokenizer, as the supervisor hands them over."""

from __future__ import annotations

from msgspec import Struct

from mlxr.runtime.engine_spec import EngineSpec


class TokenizerSettings(Struct, frozen=True):
    """The model whose text side is loaded. ``context_length`` and ``pool_tokens`` cut its context, 0 for no cut."""

    spec: EngineSpec
    context_length: int = 0
    pool_tokens: int = 0
