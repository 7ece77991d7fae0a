"""Everything known of one model, in the shape of Ollama's ``/api/show``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.modelfile.write import modelfile, parameters
from mlxr.models.adapters.opening import open_adapter
from mlxr.models.formats.gguf.cursor import Strings
from mlxr.models.formats.gguf.file import MODEL, GGUFFile
from mlxr.models.names import local_file
from mlxr.models.sizes import parameter_size
from mlxr.runtime.model_info import ADAPTER

LONG_ARRAY = 64
"""Arrays with more items (a vocabulary, say) are left out unless all is asked for; their keys stay, with null."""


def show(entry: CatalogueEntry, verbose: bool, remote: bool = False) -> dict[str, Any]:
    """Returns the body of the answer, for a ``remote`` client without the paths of this machine. Reads the model's
    file: for a worker thread. Raises ``ModelFileError``, ``OSError``."""
    info = entry.info
    gguf = GGUFFile.open(entry.blob.path, ADAPTER if info.is_adapter else MODEL) if info.format == "gguf" else None
    body: dict[str, Any] = {
        "license": info.license,
        "modelfile": modelfile(entry, entry.name if remote else str(entry.blob.path)),
        "parameters": parameters({**info.options, **entry.options}),
        "template": info.template,
        "system": entry.system,
        "details": details(entry),
        "messages": entry.messages,
        # Editors call a model by its base's name, which not every file has.
        "model_info": {"general.basename": entry.name, **_info(entry, gguf, verbose)},
        "capabilities": info.capabilities,
        "modified_at": datetime.fromtimestamp(entry.modified, UTC).isoformat(),
        "digest": entry.digest,
        "size": entry.blob.size,
        "source": entry.source,
        "aliases": entry.aliases,
    }
    if remote:
        body["source"] = "" if local_file(entry.source) else entry.source
        body["details"]["parent_model"] = "" if local_file(entry.overrides.parent) else entry.overrides.parent
        body["aliases"] = [alias for alias in entry.aliases if not local_file(alias)]
    else:
        body["path"] = str(entry.blob.path)
    if verbose and gguf is not None:
        body["tensors"] = [
            {"name": tensor.name, "type": str(tensor.type).upper(), "shape": list(tensor.shape)}
            for tensor in gguf.tensors.values()
        ]
    return body


def shown_part(entry: CatalogueEntry, part: str) -> str:
    """One text of what ``show`` tells: ``modelfile``, ``template``, ``system``, ``parameters`` or ``license``."""
    texts = {
        "modelfile": lambda: modelfile(entry, str(entry.blob.path)),
        "template": lambda: entry.info.template,
        "system": lambda: entry.system,
        "parameters": lambda: parameters({**entry.info.options, **entry.options}),
        "license": lambda: entry.info.license,
    }
    return texts[part]()


def details(entry: CatalogueEntry) -> dict[str, Any]:
    """Ollama's ``details`` of a model."""
    info = entry.blob.info
    return {
        "parent_model": entry.overrides.parent,
        "format": info.format,
        "family": info.architecture,
        "families": [info.architecture],
        "parameter_size": parameter_size(info.parameters),
        "quantization_level": info.quantization,
    }


def _info(entry: CatalogueEntry, gguf: GGUFFile | None, verbose: bool) -> dict[str, Any]:
    """The file's metadata, or for other formats the same keys from what is known."""
    info = entry.blob.info
    if info.is_adapter:
        rank = open_adapter(entry.blob.path).rank
        facts = {"general.type": ADAPTER, "adapter.type": "lora", "adapter.lora.rank": rank}
        return {**facts, "general.base_model.0.name": info.base, "general.parameter_count": info.parameters}
    if gguf is None:
        architecture = info.architecture
        return {
            "general.architecture": architecture,
            "general.parameter_count": info.parameters,
            f"{architecture}.context_length": info.context_length,
            f"{architecture}.embedding_length": info.embedding_length,
        }
    metadata = {key: _plain(value, verbose) for key, value in gguf.metadata.items() if key != "tokenizer.chat_template"}
    return {**metadata, "general.parameter_count": info.parameters}


def _plain(value: Any, verbose: bool) -> Any:
    """``value`` as JSON can hold it."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | Strings):
        short = verbose or len(value) <= LONG_ARRAY
        return [_plain(item, verbose) for item in value] if short else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
