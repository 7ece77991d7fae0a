"""``mlxr ps`` and ``mlxr stop``: which models are loaded, and unloading them. Neither starts a server."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlxr.cli.options import AsJson, Endpoint, LoadedNames
from mlxr.cli.printing import Column, print_json, print_table, readable_age, remark
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.errors import ConfigError, ModelNotFound

if TYPE_CHECKING:
    from mlxr.cli.client.endpoint import Endpoint as Server

PS = [
    ("mlxr ps", "what is loaded, and for how long"),
    ("mlxr ps --json", "the same for programs"),
    ("mlxr ps --endpoint box.local:11435", "on another machine"),
]
STOP = [("mlxr stop smollm2", "free its memory now"), ("mlxr stop --all", "free everybody's")]

COLUMNS = (
    Column("NAME", rank=0),
    Column("DIGEST", rank=3),
    Column("SIZE", right=True),
    Column("PROCESSOR", rank=2),
    Column("CONTEXT", right=True, rank=2),
    Column("UNTIL"),
    Column("SERVER", rank=4),
)
FOR_EVER_SECONDS = 50 * 365 * 86400


def register(app: typer.Typer) -> None:
    add_verb(app, "ps", ps, Task.CHAT, PS)
    add_verb(app, "stop", stop, Task.CHAT, STOP)


def ps(as_json: AsJson = False, endpoint: Endpoint = None) -> None:
    """List the models that are loaded, with their memory."""
    servers = _servers(endpoint)
    loaded = _loaded(servers)
    if as_json:
        print_json([{**model, "server": server.shown} for server, model in loaded])
        return
    if not servers:
        remark("no server is running; `mlxr run MODEL` or `mlxr up` starts one")
    elif not loaded:
        remark("no model is loaded; a request or `mlxr run MODEL` loads one")
    columns = COLUMNS if len(servers) > 1 else COLUMNS[:-1]
    now = time.time()
    print_table(columns, [_row(server, model, now)[: len(columns)] for server, model in loaded])
    if endpoint is None and (left := _left_memory()):
        remark(f"servers that were killed have left {left} of memory for their next start; `mlxr stop --all` frees it")
    for _, model in loaded:
        if reason := model.get("draft_model_error"):
            remark(f"{model['name'].removesuffix(':latest')} goes without a draft model: {reason}")
        if stage := model.get("stage"):
            left = "a request may wait for those that it needs first"
            remark(f"{model['name'].removesuffix(':latest')} is {stage} ({model['progress']:.0%} done): {left}")


def stop(
    names: LoadedNames = None,
    every: Annotated[bool, typer.Option("--all", help="Unload every model.")] = False,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Unload models, so that their memory is free; their files stay. Answers that are being written go on to their end.

    A server that `mlxr run` started ends by itself a few seconds after its last model. With --all goes the memory, too,
    that servers which were killed have left for their next start.
    """
    if every == bool(names):
        raise ConfigError("name the models to unload, or all of them by --all; `mlxr ps` shows what is loaded")
    servers = _servers(endpoint)
    loaded = _loaded(servers)
    wanted = list(dict.fromkeys(names or [model["name"] for _, model in loaded]))
    found = [(server, name) for name in wanted for server, model in loaded if _same(name, model)]
    failed = [_not_loaded(name, loaded) for name in wanted if not any(_same(name, model) for _, model in loaded)]
    failed += _unload_all(found)
    freed = _free_left_memory() if every and endpoint is None else ""
    left = {(server.shown, model["name"]) for server, model in _loaded(servers)}
    stopping = [any(server.shown == where and _named(name, own) for where, own in left) for server, name in found]
    if as_json:
        each = zip(found, stopping, strict=True)
        print_json([{"name": name, "server": server.shown, "stopping": waits} for (server, name), waits in each])
    else:
        for (server, name), waits in zip(found, stopping, strict=True):
            shown = name.removesuffix(":latest") + (f" at {server.shown}" if len(servers) > 1 else "")
            print(f"{shown} unloads when the answers that it is writing have ended" if waits else f"unloaded {shown}")
        if freed:
            print(f"freed {freed} that servers which were killed had left")
    if failed:
        raise ModelNotFound("; ".join(failed))
    if every and not (found or freed) and not as_json:
        remark("no model is loaded" if servers else "no server is running")


def _left_memory() -> str:
    from mlxr.cli import left_memory

    return left_memory.told()


def _free_left_memory() -> str:
    from mlxr.cli import left_memory

    return left_memory.freed()


def _not_loaded(name: str, loaded: list[tuple[Server, dict[str, Any]]]) -> str:
    from mlxr.models.near_names import suggestion

    near = suggestion(name, [model["name"] for _, model in loaded])
    return f"model {name!r} is not loaded; {near}`mlxr ps` shows what is"


def _unload_all(found: list[tuple[Server, str]]) -> list[str]:
    """Unloads each, whatever becomes of the others; returns what went wrong. A server that ends meanwhile has unloaded
    its models."""
    from mlxr.cli.client.client import ServerError, ServerGone

    failed: list[str] = []
    for server, name in found:
        try:
            _unload(server, name)
        except ServerGone as error:
            failed += [] if server.process else [str(error)]
        except ServerError as error:
            failed.append(f"{name} at {server.shown}: {error}")
    return failed


def _servers(endpoint: str | None) -> list[Server]:
    from mlxr.cli.client.endpoint import named, running
    from mlxr.runtime.paths import Home

    chosen = named(endpoint)
    return [chosen] if chosen else running(Home.find())


def _loaded(servers: list[Server]) -> list[tuple[Server, dict[str, Any]]]:
    """Every loaded model, with its server. One that has ended meanwhile has none."""
    # aiohttp takes a while to load, and who has no server does without.
    from mlxr.cli.client.client import ServerGone, asked

    found: list[tuple[Server, dict[str, Any]]] = []
    for server in servers:
        try:
            found += [(server, model) for model in asked(server, "GET", "/api/ps")["models"]]
        except ServerGone:
            if not server.process:
                raise
    return found


def _unload(server: Server, name: str) -> None:
    from mlxr.cli.client.client import asked

    asked(server, "POST", "/api/generate", {"model": name, "keep_alive": 0})


def _same(name: str, model: dict[str, Any]) -> bool:
    return _named(name, model["name"]) or _named(name, model["model"])


def _named(name: str, other: str) -> bool:
    from mlxr.models import names

    return names.key(name) == names.key(other)


def _row(server: Server, model: dict[str, Any], now: float) -> list[str]:
    return [
        model["name"].removesuffix(":latest"),
        model["digest"].removeprefix("sha256:")[:12],
        f"{model['size'] / 1e9:.2f} GB" if model["size"] >= 1e9 else f"{model['size'] / 1e6:.0f} MB",
        _processor(model),
        str(model.get("context_length", "")),
        _until(model.get("expires_at", ""), now),
        server.shown,
    ]


def _processor(model: dict[str, Any]) -> str:
    """As Ollama says it."""
    share = round(100 * model["size_vram"] / model["size"]) if model["size"] else 0
    return "100% CPU" if share <= 0 else "100% GPU" if share >= 100 else f"{100 - share}%/{share}% CPU/GPU"


def _until(expires_at: str, now: float) -> str:
    try:
        left = datetime.fromisoformat(expires_at).timestamp() - now
    except ValueError:
        return ""
    if left > FOR_EVER_SECONDS:
        return "Forever"
    return f"{readable_age(left)} from now" if left > 0 else "Stopping..."
