"""What is installed and what runs: ``/api/tags``, ``/api/ps``, ``/api/show``, ``/api/version``."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

import mlxr
from mlxr.api.durations import rfc3339
from mlxr.api.errors import invalid
from mlxr.http.json_response import json_response
from mlxr.http.ollama.schema import Named, ShowRequest
from mlxr.http.registry_answer import registry_response
from mlxr.http.services import Services
from mlxr.models.names import local_file
from mlxr.models.sizes import parameter_size
from mlxr.runtime.messages.catalogue import EngineInfo, HeldMemory, ModelEntry
from mlxr.runtime.messages.registry import MeasureEngines, ShowModel

API_VERSION = "0.32.15"
"""The release of Ollama that this surface was compared with. Its clients refuse servers that seem too old: Codex those
before 0.13.4, from which on they have ``/v1/responses``."""

RUNNING = frozenset({"ready", "restarting", "stopping"})
"""States of engines that hold memory, once they have loaded."""

FOR_EVER = "2318-09-01T00:00:00Z"
"""When a model that is kept for ever expires: the clients want a date."""


async def version(services: Services, body: None, request: web.Request) -> web.Response:
    return json_response({"version": API_VERSION, "mlxr": mlxr.__version__})


async def tags(services: Services, body: None, request: web.Request) -> web.Response:
    return json_response({"models": [_tag(entry) for entry in services.gateway.models()]})


async def ps(services: Services, body: None, request: web.Request) -> web.Response:
    """What the engines' processes hold is asked of the system now."""
    held: dict[str, HeldMemory] = {}
    async for reply in services.gateway.registry(MeasureEngines()):
        if reply.last:
            held = {one.engine: one for one in msgspec.json.decode(reply.body, type=list[HeldMemory])}
    running = [
        _process(engine, entry, held.get(engine.engine))
        for engine in services.gateway.engines()
        if engine.state in RUNNING and engine.backend and (entry := services.gateway.find(engine.model))
    ]
    return json_response({"models": running})


async def show(services: Services, body: ShowRequest, request: web.Request) -> web.Response:
    """Returns the registry's own words: with a vocabulary in them they are megabytes, too many to decode on the
    loop."""
    return await registry_response(services, ShowModel(model_name(body), bool(body.verbose)))


def model_name(body: Named) -> str:
    name = body.model or body.name
    if not name:
        raise invalid("`model` is required", "model")
    return name


def tagged(name: str) -> str:
    """Names without a tag get the default one; paths stay as they are."""
    return name if ":" in name.rpartition("/")[2] or local_file(name) else f"{name}:latest"


def details(entry: ModelEntry) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": entry.info.format,
        "family": entry.info.architecture,
        "families": [entry.info.architecture],
        "parameter_size": parameter_size(entry.info.parameters),
        "quantization_level": entry.info.quantization,
        **({"context_length": entry.info.context_length} if entry.info.context_length else {}),
        **({"embedding_length": entry.info.embedding_length} if entry.info.embedding_length else {}),
    }


def _tag(entry: ModelEntry) -> dict[str, Any]:
    name = tagged(entry.name)
    return {
        "name": name,
        "model": name,
        "modified_at": rfc3339(entry.modified),
        "size": entry.size,
        "digest": entry.digest,
        "details": details(entry),
        "capabilities": entry.info.capabilities,
    }


def _process(engine: EngineInfo, entry: ModelEntry, held: HeldMemory | None) -> dict[str, Any]:
    name = tagged(entry.name)
    return {
        "name": name,
        "model": name,
        "size": (held.bytes if held is not None else 0) or engine.memory_bytes or entry.size,
        "digest": entry.digest,
        "details": details(entry),
        "expires_at": FOR_EVER if engine.expires is None else rfc3339(engine.expires),
        "size_vram": held.device_bytes if held is not None else 0,
        "context_length": engine.context_length,
        "pinned": engine.pinned,
        "page_type": engine.page_type,
        # Ours, as the two before: what drafts beside it, "mtp" for a head of its own; why what was to draft does not.
        **({"draft_model": engine.drafter} if engine.drafter else {}),
        **({"draft_model_error": engine.undrafted} if engine.undrafted else {}),
        # And what it does in the background, with how far that is.
        **({"stage": engine.stage, "progress": round(engine.progress, 3)} if engine.stage else {}),
    }
