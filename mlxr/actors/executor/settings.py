"""Settings of one engine's executor: two sections of the configuration, and the model."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mlxr.runtime.config import NotNegative, Section


class ExecutorSection(Section, frozen=True):
    """``[executor]``.

    backend: auto, mlx, cpu or reference.
    threads: 0 for as many as the process may use.
    context_length: cuts the model's; 0 for no cut.
    """

    backend: Literal["auto", "mlx", "cpu", "reference"] = "auto"
    threads: NotNegative = 0
    context_length: NotNegative = 0


class KVSection(Section, frozen=True):
    """``[kv]``.

    page_size: tokens a page.
    pool_tokens: tokens the pool holds; 0 for the model's context.
    memory_fraction: of the memory that is available at load, the most that the pool takes.
    """

    page_size: Annotated[int, Meta(ge=1, le=256)] = 32
    pool_tokens: NotNegative = 0
    memory_fraction: Annotated[float, Meta(gt=0, le=0.9)] = 0.25


class ExecutorSettings(Struct, frozen=True):
    """As the supervisor hands them over.

    path: the model's file or folder.
    identity: as in ``EngineSpec``.
    """

    path: str
    identity: str = ""
    executor: ExecutorSection = ExecutorSection()
    kv: KVSection = KVSection()
