"""Push a model of the catalogue to a registry that speaks Ollama's protocol."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.ollama.access import PUSH
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt
from mlxr.actors.registry.ollama.manifest import MANIFEST_TYPE, Layer, Manifest
from mlxr.actors.registry.ollama.name import OllamaName, parse_name
from mlxr.actors.registry.ollama.own_layers import own_model
from mlxr.actors.registry.ollama.registry import RegistryModel
from mlxr.actors.registry.ollama.upload import Upload, UploadNotes, has_blob
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.source import RESUMABLE
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.actors.registry.tool_stores.in_place import require_in_place
from mlxr.models import names
from mlxr.models.chat.go_template.recognise import is_go
from mlxr.runtime.errors import PullError
from mlxr.runtime.paths import Home

_REPORT_SECONDS = 0.1
_WAITING = Progress("waiting for another mlxr to push the same model")


async def push_model(
    home: Home,
    entry: CatalogueEntry,
    target: str,
    report: Report,
    registry: RegistryAt = OLLAMAS_OWN,
    limits: TransferLimits = DEFAULT_LIMITS,
) -> None:
    """Gives ``entry`` to a registry, under the name ``target`` there. What the registry has is not sent again, and a
    push that was interrupted goes on where it stopped.

    Raises ``RequestError`` for what can't be pushed, ``ValueError`` for a bad name, ``GoneFromStore``, ``PullError``.
    """
    name = parse_target(target)
    await to_thread.run_sync(require_in_place, entry)
    own = own_model(entry)
    report(Progress("retrieving manifest"))
    if entry.overrides.template and not is_go(entry.overrides.template):
        report(Progress("pushing a Jinja template, which mlxr reads and Ollama does not"))
    async with (
        staging_directory(home, f"push {target}", lambda: report(_WAITING)) as staging,
        RegistryModel.open(name, registry, PUSH, limits) as model,
    ):
        (staging / RESUMABLE).mkdir(exist_ok=True, mode=0o700)
        notes = UploadNotes(staging / RESUMABLE / "uploads.json")
        done = False
        try:
            for each in own.layers:
                told = _told(each.layer, report)
                if await has_blob(model, each):
                    told(each.layer.size)
                else:
                    told(0)
                    await Upload(model, each, notes, told).run()
            report(Progress("pushing manifest"))
            await _put_manifest(model, own.manifest)
            done = True
        finally:
            clear(staging, resumable=not done)


def parse_target(target: str) -> OllamaName:
    """Raises ``ValueError`` for what is no name at a registry."""
    name = parse_name(target)
    if name is None or names.local_file(target) or names.in_tool_store(target):
        raise ValueError(
            f"{names.quoted(target)} is no name at a registry; push as NAMESPACE/MODEL:TAG, with HOST/ before it "
            "where that is not Ollama's own"
        )
    return name


def _told(layer: Layer, report: Report) -> Callable[[int], None]:
    """Reports how far a layer is, ten times a second at most."""
    last = 0.0

    def told(completed: int) -> None:
        nonlocal last
        if completed in (0, layer.size) or time.monotonic() - last >= _REPORT_SECONDS:
            last = time.monotonic()
            report(Progress(f"pushing {layer.hex[:12]}", layer.digest, layer.size, completed))

    return told


async def _put_manifest(model: RegistryModel, manifest: Manifest) -> None:
    data = msgspec.json.encode(manifest)
    headers = {"Content-Type": MANIFEST_TYPE}
    retries = Retries(model.client.limits, f"the manifest to {model.host}", sends=True)
    while True:
        try:
            async with model.client.send(
                "PUT", model.manifest_url, headers, model.access, lambda: data, taken=(400, 413)
            ) as response:
                if response.status >= 400:
                    said = (await response.content.read(4096)).decode("utf-8", "replace")
                    shown = names.escaped(" ".join(said.split()))[:300]
                    raise PullError(f"{model.host} does not take the manifest ({response.status}): {shown}")
                return
        except Interrupted as failure:
            await retries.again(failure)
