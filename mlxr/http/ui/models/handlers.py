"""``/api/ui/models``: one typed list for a page, and what no other surface has: loads of every kind of model."""

from __future__ import annotations

import msgspec
from aiohttp import web

from mlxr.api.durations import keep_alive_seconds
from mlxr.api.library import for_caller
from mlxr.api.tool_stores import StoreListing
from mlxr.http.json_response import json_response
from mlxr.http.registry_answer import registry_body, registry_response
from mlxr.http.services import Services
from mlxr.http.ui.conversion_fields import wanted
from mlxr.http.ui.models.schema import (
    ConversionRequest,
    LibraryState,
    Loaded,
    LoadRequest,
    UnloadRequest,
)
from mlxr.runtime.messages.registry import EstimateConversion, ListToolModels, LoadModel, UnloadModel


async def library(services: Services, body: None, request: web.Request) -> web.Response:
    with_stores = request.query.get("stores", "").lower() in ("1", "true")
    stores = (
        msgspec.json.decode(await registry_body(services, ListToolModels()), type=StoreListing) if with_stores else None
    )
    known = services.gateway.library
    state = LibraryState(
        known.feed.version,
        [for_caller(model) for model in known.models()],
        [for_caller(job) for job in known.jobs()],
        known.machine(),
        stores,
    )
    return json_response(state)


async def load(services: Services, body: LoadRequest, request: web.Request) -> web.Response:
    await registry_body(services, LoadModel(body.model, keep_alive_seconds(body.keep_alive), body.pin))
    return json_response(Loaded(body.model))


async def unload(services: Services, body: UnloadRequest, request: web.Request) -> web.Response:
    await registry_body(services, UnloadModel(body.model))
    return json_response(Loaded(body.model))


async def estimate_conversion(services: Services, body: ConversionRequest, request: web.Request) -> web.Response:
    return await registry_response(services, EstimateConversion(body.model, wanted(body)))
