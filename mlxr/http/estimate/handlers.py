"""``POST /api/estimate``. The registry looks; this passes on what it says."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields
from mlxr.http.registry_answer import registry_response
from mlxr.http.services import Services
from mlxr.runtime.messages.registry import EstimateModel


class EstimateRequest(Fields, frozen=True, kw_only=True):
    """``model``: whatever a pull takes, or a model that is here. ``context_length``: tokens that memory is told for.
    ``insecure``: as a pull has it."""

    model: ModelName
    context_length: Annotated[int, Meta(ge=0, le=1 << 40)] = 0
    insecure: bool = False


async def estimate(services: Services, body: EstimateRequest, request: web.Request) -> web.Response:
    return await registry_response(services, EstimateModel(body.model, body.context_length, body.insecure))
