"""Stores as other tools lay them out, with small models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlxr.actors.registry.ollama.manifest import CONFIG_TYPE, MANIFEST_TYPE, MODEL
from mlxr.actors.registry.tool_stores.places import Place
from tests.actors.registry.packages import tiny_gguf

MEDIA = "application/vnd.ollama.image."


def ollama_blob(folder: Path, data: bytes) -> dict[str, Any]:
    """A blob in Ollama's folder; what a manifest says of it."""
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs" / f"sha256-{digest}").write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def ollama_model(
    folder: Path,
    name: str = "registry.ollama.ai/library/tiny/1b",
    model: bytes | None = None,
    layers: Sequence[tuple[str, bytes]] = (),
    config: Mapping[str, Any] | None = None,
) -> Path:
    """A model in Ollama's folder, by the path of its manifest; the manifest's path."""
    data = tiny_gguf(folder.parent / "made.gguf") if model is None else model
    listed = [{"mediaType": MODEL, **ollama_blob(folder, data)}] if data else []
    listed += [{"mediaType": f"{MEDIA}{kind}", **ollama_blob(folder, text)} for kind, text in layers]
    body = json.dumps(config or {"model_format": "gguf"}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, **ollama_blob(folder, body)},
        "layers": listed,
    }
    path = folder / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest))
    return path


def hub_file(repository: Path, commit: str, name: str, data: bytes, *, large: bool = True) -> Path:
    """A file in a snapshot of Hugging Face's cache: a link to a blob."""
    digest = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(data).hexdigest()
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    (repository / "blobs" / digest).write_bytes(data)
    link = repository / "snapshots" / commit / name
    link.parent.mkdir(parents=True, exist_ok=True)
    up = "../" * len(link.relative_to(repository).parts[:-1])
    link.symlink_to(f"{up}blobs/{digest}")
    return link


def hub_ref(repository: Path, ref: str, commit: str) -> None:
    path = repository / "refs" / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(commit)


def placed(**folders: Path) -> list[Place]:
    """One place for each tool; ``llama_cpp`` stands for llama.cpp."""
    return [Place(tool.replace("_", "."), folder) for tool, folder in folders.items()]
