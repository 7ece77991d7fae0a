"""Long work on models that a server which is named does for a command: a job, followed to its end.

An interrupted command cancels the job: people expect that of Ctrl-C.
"""

from __future__ import annotations

from typing import Any

import anyio

from mlxr.actors.registry.progress import Progress
from mlxr.cli import interruptible
from mlxr.cli.client.client import Client, ServerError, connected
from mlxr.cli.client.endpoint import Endpoint
from mlxr.cli.printing import print_json, print_pushed, remark
from mlxr.cli.progress import PullBars
from mlxr.models.names import local_file
from mlxr.models.sizes import readable
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.printable import printable

LOOK_SECONDS = 0.25
"""How often the server is asked how far a job is."""


def push(server: Endpoint, name: str, target: str, insecure: bool, as_json: bool) -> None:
    """Has the server give a model to a registry."""
    done = _done(server, "push", {"model": name, "target": target, "insecure": insecure})
    if as_json:
        print_json({"name": done["result"], "pushed_as": target or name})
    else:
        print_pushed(done["result"], target or name)


def convert(server: Endpoint, source: str, wanted: dict[str, Any], name: str, as_json: bool) -> None:
    """Has the server convert a model."""
    path = local_file(source)
    body = {"model": str(path.absolute()) if path else source, "name": name, **wanted}
    done = _done(server, "convert", body)
    model = done["model_facts"]
    if as_json:
        facts = {"name": model["name"], "digest": model["digest"], "size": model["size"], "path": model["path"]}
        print_json({**facts, "notes": done["notes"], "quantization": model["quantization"]})
        return
    parts = (model["name"], model["digest"][:12], readable(model["size"]), model["quantization"])
    print(printable("  ".join(filter(None, parts))))
    for note in done["notes"]:
        remark(note)


def _done(server: Endpoint, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the job once it is done, and of what it made the facts. Raises ``MlxrError`` where it is not."""

    async def work() -> dict[str, Any]:
        async with connected(server) as client:
            job = await client.post(f"/api/ui/jobs/{kind}", body)
            try:
                with PullBars() as bars:
                    job = await _followed(client, job, bars)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await client.post(f"/api/ui/jobs/{job['id']}", {"action": "cancel"})
                remark("interrupted; the server was told to stop it")
                raise
            if job["state"] != "done":
                raise ServerError(job["error"] or f"the {kind} was {job['state']}", 200)
            models = (await client.get("/api/ui/models"))["models"]
            made = next((model for model in models if model["name"] == job["result"]), None)
            if kind == "convert" and made is None:
                raise MlxrError(f"{job['result']} was made, and somebody has removed it already")
            return {**job, "model_facts": made}

    return interruptible.run(work)


async def _followed(client: Client, job: dict[str, Any], bars: PullBars) -> dict[str, Any]:
    """Returns a job as it ended."""
    told = ""
    while job["state"] in ("waiting", "running"):
        progress = Progress(job["status"], total=job["total"], completed=job["completed"])
        if job["status"] and (job["total"] or job["status"] != told):
            bars.report(progress)
        told = job["status"]
        await anyio.sleep(LOOK_SECONDS)
        job = await client.get(f"/api/ui/jobs/{job['id']}")
    return job
