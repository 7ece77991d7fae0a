"""What is asked and told of models."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.jobs import Job
from mlxr.api.library import LibraryModel, MachineMemory
from mlxr.api.tool_stores import StoreListing
from mlxr.http.field_types import KeepAlive, ModelName
from mlxr.http.fields import Fields
from mlxr.http.ui.conversion_fields import ConversionFields


class LibraryState(Struct, frozen=True):
    """Everything. ``version``: the ``Last-Event-ID`` from which to follow. ``stores``: of other tools, null where that
    was not asked for."""

    version: str
    models: list[LibraryModel]
    jobs: list[Job]
    machine: MachineMemory | None
    stores: StoreListing | None = None


class LibraryChanges(Struct, frozen=True):
    """What has changed. ``reset``: these are all models and jobs there are; else ``gone_models`` and ``gone_jobs`` are
    those that are no more. ``machine``: null where nothing changed."""

    reset: bool
    models: list[LibraryModel]
    jobs: list[Job]
    gone_models: list[str]
    gone_jobs: list[str]
    machine: MachineMemory | None = None


class LoadRequest(Fields, frozen=True, kw_only=True):
    """``keep_alive``: as in Ollama's API. ``pin``: whether it stays whatever requests say."""

    model: ModelName
    keep_alive: KeepAlive | None = None
    pin: bool | None = None


class UnloadRequest(Fields, frozen=True, kw_only=True):
    model: ModelName


class Loaded(Struct, frozen=True):
    """The model that is, or is no more to be, loaded."""

    model: str


class ConversionRequest(ConversionFields, frozen=True, kw_only=True):
    """As for a conversion; without ``type``, all types of the format are told of."""
