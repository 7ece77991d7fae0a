"""Values that fields of several surfaces take, with their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Divisor = Annotated[float, Meta(ge=0.01, le=100)]
"""What repeated tokens' logits are divided by: anything smaller would make infinities of them."""
Bias = Annotated[float, Meta(ge=-100, le=100)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
ModelName = Annotated[str, Meta(max_length=4096)]
"""As long as a path may be."""
TokenLimit = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""Tokens of an answer at most; -1 for no limit, as clients of LM Studio, llama.cpp and Ollama write it."""
MostDrafted = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Tokens of a draft at most, as llama.cpp's ``speculative.n_max``: 0 for none."""
KeepAlive = float | Annotated[str, Meta(max_length=1024)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


HARMLESS = frozenset(
    {"user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
     "prompt_cache_retention", "cache_prompt", "cache_salt", "request_id", "guided_decoding_backend"}
)  # fmt: skip
"""What accounts, bills, labels and caches elsewhere."""
