"""Ollama's models folder: ``manifests/HOST/NAMESPACE/MODEL/TAG``, and ``blobs/sha256-DIGEST`` for what they list."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from mlxr.actors.registry.ollama.layers import read_config, read_overrides, unused
from mlxr.actors.registry.ollama.manifest import ADAPTER, MOST_BYTES, BadManifest, Layer, model_layer, read_manifest
from mlxr.actors.registry.ollama.name import OllamaName, parse_name
from mlxr.actors.registry.tool_stores.tool_model import Scan, ToolModel
from mlxr.actors.registry.tool_stores.walk import Walk
from mlxr.models import names
from mlxr.runtime.regular_files import read_regular

TOOL = "ollama"
_DEPTH = 4


def scan(folder: Path) -> Scan:
    """Returns the models of one folder, those that can't be used with the reason."""
    walk = Walk("Ollama")
    level = [folder / "manifests"]
    for _ in range(_DEPTH - 1):
        level = [inner for outer in level for inner in walk.folders(outer)]
    manifests = [Path(entry.path) for outer in level for entry in walk.entries(outer) if walk.is_file(entry)]
    models = [_model(folder, path) for path in manifests if not path.name.startswith(".")]
    return Scan(models, walk.problems)


def _model(folder: Path, manifest_path: Path) -> ToolModel:
    host, namespace, model, tag = manifest_path.parts[-_DEPTH:]
    name = parse_name(f"{host}/{namespace}/{model}:{tag}")
    if name is None:
        spelled = f"{host}/{namespace}/{model}:{tag}"
        return ToolModel(TOOL, spelled, manifest_path, problem=f"has a name that is none of Ollama's: {manifest_path}")
    try:
        return _read(folder, manifest_path, name)
    except BadManifest as error:
        return ToolModel(TOOL, name.shortest, manifest_path, problem=str(error))
    except OSError as error:
        place = error.filename or manifest_path
        reason = f"can't be read: {place}: {error.strerror or error}"
        return ToolModel(TOOL, name.shortest, manifest_path, problem=reason)


def _read(folder: Path, manifest_path: Path, name: OllamaName) -> ToolModel:
    """Raises ``BadManifest`` and ``OSError``."""
    manifest = read_manifest(read_regular(manifest_path, MOST_BYTES))
    read = partial(_layer_bytes, folder)
    config = read_config(manifest, read)
    layer = model_layer(manifest, config)
    again = f"`ollama pull {name.shortest}` fetches it again"
    path = _whole(folder, layer, again)
    adapters = tuple((each.hex, _whole(folder, each, again)) for each in manifest.of(ADAPTER))
    return ToolModel(
        TOOL,
        name.shortest,
        path,
        read_digest=lambda: layer.hex,
        catalogue_name=names.tidy(name.shortest),
        source=name.shortest,
        unused=tuple(unused(manifest)),
        overrides=partial(read_overrides, manifest, config, read),
        adapters=adapters,
    )


def _blob(folder: Path, layer: Layer) -> Path:
    """Where a layer lies; Ollama before 0.1.30 had a colon in the name."""
    old = folder / "blobs" / layer.digest
    return old if old.is_file() else folder / "blobs" / f"sha256-{layer.hex}"


def _whole(folder: Path, layer: Layer, again: str) -> Path:
    """The file of a layer; raises ``BadManifest`` for one that is not there as a whole or can't be read."""
    path = _blob(folder, layer)
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        raise BadManifest(f"lacks its file {path}; {again}") from None
    if size != layer.size:
        raise BadManifest(f"has {size} of {layer.size} bytes in {path}; {again}")
    if not os.access(path, os.R_OK):
        raise BadManifest(f"can't be read by you: {path}; `sudo chmod a+r {path}` lets you")
    return path


def _layer_bytes(folder: Path, layer: Layer) -> bytes:
    """Raises ``OSError`` and ``BadManifest``."""
    data = read_regular(_blob(folder, layer), layer.size)
    if len(data) != layer.size:
        raise BadManifest(f"has {len(data)} of {layer.size} bytes in {_blob(folder, layer)}")
    return data
