"""What the commands on models do with a server that is named: the same as with the catalogue here, by Ollama's API."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec

from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.tool_stores.results import ImportResult
from mlxr.cli import interruptible
from mlxr.cli.client.client import asked, connected
from mlxr.cli.client.endpoint import Endpoint
from mlxr.cli.printing import Column, print_facts, print_json, print_part, print_table, remark
from mlxr.cli.progress import PullBars
from mlxr.cli.run.model_facts import model_facts
from mlxr.models.sizes import readable
from mlxr.runtime.printable import printable

COLUMNS = (
    Column("NAME", rank=0),
    Column("DIGEST", rank=3),
    Column("SIZE", right=True),
    Column("PARAMETERS", right=True, rank=2),
    Column("QUANTIZATION", rank=2),
    Column("MODIFIED", rank=3),
)


def pull(server: Endpoint, name: str, as_json: bool, insecure: bool) -> None:
    """Has the server fetch a model, with bars on a terminal."""

    body = {"model": name, **({"insecure": True} if insecure else {})}

    async def work() -> None:
        async with connected(server) as client, aclosing(client.lines("/api/pull", body)) as lines:
            with PullBars() as bars:
                async for line in lines:
                    status, total, completed = line["status"], line.get("total", 0), line.get("completed", 0)
                    bars.report(Progress(status, line.get("digest", ""), total, completed))

    interruptible.run(work)
    if as_json:
        print_json({"name": name})
    else:
        print(printable(f"{name}  pulled by {server.shown}"))


def import_models(server: Endpoint, names: list[str], tool: str, name: str) -> ImportResult:
    """Has the server catalogue what other tools have where it runs. Raises ``MlxrError``."""
    body = {"models": names, **({"from": tool} if tool else {}), **({"name": name} if name else {})}
    return msgspec.convert(asked(server, "POST", "/api/import", body), ImportResult)


def list_models(server: Endpoint, prefix: str, as_json: bool) -> None:
    models = [model for model in asked(server, "GET", "/api/tags")["models"] if begins(model["name"], prefix)]
    if as_json:
        print_json(models)
    elif models:
        print_table(COLUMNS, map(_row, models))
    else:
        remark(f"{server.shown} has no such model" if prefix else f"{server.shown} has no models")


def show_model(server: Endpoint, name: str, as_json: bool, verbose: bool, part: str) -> None:
    """``part``: the one field that is wanted, as it is; '' for all."""
    shown = asked(server, "POST", "/api/show", {"model": name, "verbose": verbose})
    if part:
        print_part(part, shown[part], as_json)
    elif as_json:
        print_json({"name": name, **shown})
    else:
        facts = [("name", name), *model_facts(shown)]
        if verbose:
            facts += [(key, str(value)) for key, value in shown["model_info"].items()]
            facts += [(tensor["name"], f"{tensor['type']} {tensor['shape']}") for tensor in shown.get("tensors", [])]
        print_facts(facts)


def remove(server: Endpoint, names: list[str], as_json: bool) -> None:
    """Removes one after another. Raises ``MlxrError`` at the first that can't be."""
    for name in names:
        asked(server, "DELETE", "/api/delete", {"model": name})
        if not as_json:
            print(printable(f"removed {name}"))
    if as_json:
        print_json([{"name": name} for name in names])


def copy(server: Endpoint, source: str, target: str) -> None:
    asked(server, "POST", "/api/copy", {"source": source, "destination": target})


def begins(name: str, prefix: str) -> bool:
    return name.lower().startswith(prefix.lower())


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    details = model["details"]
    return (
        # As `mlxr list` says it of this machine; JSON has it as the server does.
        model["name"].removesuffix(":latest"),
        model["digest"].removeprefix("sha256:")[:12],
        readable(model["size"]),
        details["parameter_size"],
        details["quantization_level"],
        model["modified_at"][:16].replace("T", " "),
    )
