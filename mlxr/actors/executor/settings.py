"""Settings of one engine's executor, as the supervisor hands them over."""

from __future__ import annotations

from msgspec import Struct


class ExecutorSettings(Struct, frozen=True):
    """``backend``: auto, mlx, cpu, reference. ``threads``: 0 for as many as the process may use. ``pool_tokens``:
    tokens the KV pool holds, 0 to size it from ``memory_fraction`` of what is available. ``context_length``: 0 for the
    model's. ``identity``: as in ``EngineSpec``."""

    path: str
    backend: str = "auto"
    threads: int = 0
    page_size: int = 32
    pool_tokens: int = 0
    memory_fraction: float = 0.25
    context_length: int = 0
    identity: str = ""
