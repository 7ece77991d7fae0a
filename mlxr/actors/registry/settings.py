"""What the registry is told at its start: a section of the configuration, and where models are."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.ollama.name import DEFAULT_REGISTRY
from mlxr.runtime.config import NotNegative, Positive, Section, about
from mlxr.runtime.durations import Duration

MemorySize = Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?\s*(%|[kKMGT]i?B?|B)?)?$")] | NotNegative
"""Bytes, as a number or with a unit, or a part of what there is."""


class ModelsSection(Section, frozen=True):
    """``[models]``."""

    default: Annotated[
        str, about("loaded at the start; empty: smollm2 or the newest that is here, else smollm2 is fetched")
    ] = ""
    keep_alive: Annotated[Duration, about("how long an unused model stays loaded: 300, 5m, 24h; negative for ever")] = (
        300.0
    )
    max_loaded: Annotated[Positive, about("models loaded at once")] = 3
    memory_limit: Annotated[
        MemorySize, about("what all may take together, as 12GB or 50%; empty: 80 % of the machine's or the GPU's")
    ] = ""
    pinned: Annotated[
        list[str], about("loaded at the start; they stay whatever requests say, and whoever else needs room")
    ] = []
    registry: Annotated[str, about("where llama3.2:1b and its like are pulled from: it speaks Ollama's protocol")] = (
        DEFAULT_REGISTRY
    )
    paths: Annotated[
        list[str], about("folders whose models clients on other machines may name by path; those here may name any")
    ] = []


class RegistrySettings(Struct, frozen=True):
    """As the supervisor hands them over.

    home: MLXR_HOME.
    warm: whether to load a model at the start even though none is named.
    on_demand: whether to load nothing before somebody asks for it, not even what is named.
    required: models that the server ends without, should they not be had at its start.
    executor: what executors of whatever model are told.
    draft_model: as ``speculation.draft_model``; None where there is no speculation.
    """

    home: str
    models: ModelsSection = ModelsSection()
    warm: bool = False
    on_demand: bool = False
    required: list[str] = []
    executor: ExecutorSettings = ExecutorSettings("")
    draft_model: str | None = None
