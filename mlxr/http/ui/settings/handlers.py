"""The handler of ``/api/ui/settings``."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import msgspec
from aiohttp import web
from anyio import to_thread

import mlxr
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.ui.settings.schema import LoadedEngine, ServerSetup, ShownSetting
from mlxr.runtime.config_sources import FILE
from mlxr.runtime.paths import Home
from mlxr.runtime.system_memory import available_bytes, machine_bytes


async def settings(services: Services, body: None, request: web.Request) -> web.Response:
    # The system is asked for some of it, which may take a while.
    return json_response(await to_thread.run_sync(_setup, services))


def _setup(services: Services) -> ServerSetup:
    gateway, home = services.gateway, Home.find()
    shown = [msgspec.convert(each, ShownSetting, from_attributes=True) for each in gateway.configuration]
    file = next((each.where for each in shown if each.source == FILE), str(home.config))
    engines = [
        LoadedEngine(model=each.model, backend=each.backend, memory=each.memory_bytes)
        for each in gateway.engines()
        if each.backend
    ]
    return ServerSetup(
        version=mlxr.__version__,
        python=platform.python_version(),
        mlx=metadata.version("mlx"),
        machine=f"{platform.system()} {platform.machine()}",
        cores=_cores(),
        memory_total=machine_bytes(),
        memory_available=available_bytes(),
        home=str(home.root),
        file=file,
        keys_needed=bool(services.settings.api_keys),
        engines=engines,
        settings=shown,
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
