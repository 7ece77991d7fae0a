"""``/api/ui/models``: one typed list for a page, and what no other surface has: loads of every kind of model."""

from __future__ import annotations

import msgspec
from aiohttp import web

from mlxr.api.caller import CALLER
from mlxr.api.durations import keep_alive_seconds
from mlxr.api.gateway import RegistryCommand
from mlxr.api.library import R, for_remote
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.ui.conversion_fields import wanted
from mlxr.http.ui.models.schema import (
    ConversionRequest,
    LibraryState,
    Loaded,
    LoadRequest,
    StoreListing,
    UnloadRequest,
)
from mlxr.runtime.messages.registry import EstimateConversion, ListToolModels, LoadModel, UnloadModel


async def library(services: Services, body: None, request: web.Request) -> web.Response:
    with_stores = request.query.get("stores", "").lower() in ("1", "true")
    stores = msgspec.json.decode(await _answer(services, ListToolModels()), type=StoreListing) if with_stores else None
    known = services.gateway.library
    state = LibraryState(
        known.feed.version,
        [shown(model) for model in known.models()],
        [shown(job) for job in known.jobs()],
        known.machine(),
        stores,
    )
    return json_response(state)


async def load(services: Services, body: LoadRequest, request: web.Request) -> web.Response:
    await _answer(services, LoadModel(body.model, keep_alive_seconds(body.keep_alive), body.pin))
    return json_response(Loaded(body.model))


async def unload(services: Services, body: UnloadRequest, request: web.Request) -> web.Response:
    await _answer(services, UnloadModel(body.model))
    return json_response(Loaded(body.model))


async def estimate_conversion(services: Services, body: ConversionRequest, request: web.Request) -> web.Response:
    made = await _answer(services, EstimateConversion(body.model, wanted(body)))
    return web.Response(body=made, content_type="application/json")


def shown(row: R) -> R:
    """Returns it for who asks."""
    return for_remote(row) if CALLER.get().remote else row


async def _answer(services: Services, command: RegistryCommand) -> bytes:
    body = b"null"
    async for reply in services.gateway.registry(command):
        body = reply.body
    return body
