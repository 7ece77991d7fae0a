"""What jobs are asked for."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from mlxr.api.jobs import Job, JobAction
from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields
from mlxr.http.tool_imports import ImportFields
from mlxr.http.ui.conversion_fields import ConversionFields

Text = Annotated[str, Meta(max_length=1 << 20)]


class JobList(Struct, frozen=True):
    jobs: list[Job]


class PullJob(Fields, frozen=True, kw_only=True):
    """``model``: whatever ``mlxr pull`` takes. ``insecure``: the registry is spoken to without TLS."""

    model: ModelName
    insecure: bool = False


class ImportJob(ImportFields, frozen=True, kw_only=True):
    """``models``: as ``/api/stores`` names them; none for all of ``from``. ``name``: what to call it, where it is
    one."""


class ConvertJob(ConversionFields, frozen=True, kw_only=True):
    """``name``: of what is made; empty for the source's name and what becomes of it."""

    name: ModelName = ""


class CreateJob(Fields, frozen=True, kw_only=True):
    """Ollama's create request, of what people lay over a model. ``model``: the name of what is made."""

    model: ModelName
    from_: ModelName = field(name="from")
    system: Text | None = None
    template: Text | None = None
    parameters: dict[str, Any] | None = None
    license: Text | None = None
    quantize: Annotated[str, Meta(max_length=64)] | None = None


class PushJob(Fields, frozen=True, kw_only=True):
    """``target``: ``[HOST/]NAMESPACE/MODEL[:TAG]``; empty for the model's own name."""

    model: ModelName
    target: ModelName = ""
    insecure: bool = False


class ControlRequest(Fields, frozen=True, kw_only=True):
    action: JobAction
