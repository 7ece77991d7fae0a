"""Routes about the server itself: is it up, is it ready, what has it done."""

from __future__ import annotations

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from mlxr.http.json_response import json_response
from mlxr.http.prometheus import render
from mlxr.http.services import Services


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """``status``: ok, loading, failed or stopping; the rest says what is being waited for. ``note``: what an empty
    server lacks."""

    status: str
    model: str = ""
    stage: str = ""
    progress: float = 0.0
    error: str = ""
    note: str = ""


EMPTY = "no model is installed; `mlxr pull smollm2` or POST /api/pull fetches one"


async def root(services: Services, body: None, request: web.Request) -> web.Response:
    return web.Response(text="Ollama is running")


async def health(services: Services, body: None, request: web.Request) -> web.Response:
    if not services.gateway.accepting():
        return json_response(Health("stopping"), 503, {"Retry-After": "5"})
    obstacle = services.gateway.health()
    if obstacle is None:
        return json_response(Health("ok", note="" if services.gateway.models() else EMPTY))
    state = "failed" if obstacle.state == "failed" else "loading"
    report = Health(state, obstacle.model, obstacle.stage, round(obstacle.progress, 4), obstacle.error or "")
    return json_response(report, 503, {"Retry-After": "1"})


async def metrics(services: Services, body: None, request: web.Request) -> web.Response:
    text = render(services.metrics, services.gateway.stats)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
