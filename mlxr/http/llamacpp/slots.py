"""``/slots``: places in the batch of a model, as many as sequences may run at once. They keep nothing: what was
computed of a prompt is in pages, which any request finds again."""

from __future__ import annotations

from typing import NoReturn

from aiohttp import web

from mlxr.api.default_model import default_model
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import engine_of, installed
from mlxr.http.errors import HttpError, Problem
from mlxr.http.json_response import json_response
from mlxr.http.llamacpp.errors import not_supported
from mlxr.http.services import Services
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry

MAX_SEQUENCES = "scheduler.max_sequences"


async def slots(services: Services, body: None, request: web.Request) -> web.Response:
    """``?model=`` names the model, the loaded one if it is left out; ``?fail_on_no_slot=1`` wants a 503 where every
    place is taken."""
    gateway = services.gateway
    entry = installed(gateway, request.query.get("model") or default_model(gateway))
    engine = engine_of(gateway, entry)
    running = sum(stats.running for stats in gateway.stats() if engine is not None and stats.engine == engine.engine)
    total = max(total_slots(gateway), running)
    if running == total and request.query.get("fail_on_no_slot"):
        raise HttpError(Problem(503, "no slot available", "no_slot", retry_after=1.0))
    context = context_length(engine, entry)
    speculative = engine is not None and bool(engine.drafter)
    return json_response(
        [{"id": id, "n_ctx": context, "speculative": speculative, "is_processing": id < running} for id in range(total)]
    )


async def slot_action(services: Services, body: None, request: web.Request) -> NoReturn:
    raise not_supported(
        "slots keep nothing here that could be saved, restored or erased: what was computed of a prompt is found again "
        "by whoever sends it, after a restart too (kv.disk)"
    )


def context_length(engine: EngineInfo | None, entry: ModelEntry) -> int:
    """Returns the tokens that a sequence may have, as far as it is known."""
    return (engine.context_length if engine is not None else 0) or entry.info.context_length


def total_slots(gateway: Gateway) -> int:
    """Returns how many sequences may run at once, at least 1."""
    return next((int(each.value) for each in gateway.configuration if each.key == MAX_SEQUENCES), 1)
