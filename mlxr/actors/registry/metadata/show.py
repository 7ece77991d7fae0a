"""Everything known of one model, in the shape of Ollama's ``/api/show``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from mlxr.actors.registry.catalogue.entry import Record
from mlxr.models.cursor import Strings
from mlxr.models.gguf import GGUFFile
from mlxr.models.sizes import parameter_size

LONG_ARRAY = 64
"""Arrays with more items (a vocabulary, say) are left out unless all is asked for; their keys stay, with null."""


def show(record: Record, verbose: bool) -> dict[str, Any]:
    """The body of the answer. Reads the model's file: for a worker thread. Raises ``ModelFileError``, ``OSError``."""
    entry, overrides = record.entry(), record.overrides
    gguf = GGUFFile.open(record.blob.path) if record.blob.facts.format == "gguf" else None
    body: dict[str, Any] = {
        "license": entry.license,
        "modelfile": modelfile(record),
        "parameters": parameters(overrides.options),
        "template": entry.template,
        "system": entry.system,
        "details": details(record),
        "messages": overrides.messages,
        "model_info": _info(record, gguf, verbose),
        "capabilities": entry.capabilities,
        "modified_at": datetime.fromtimestamp(record.modified, UTC).isoformat(),
        "digest": entry.digest,
        "size": entry.size,
        "path": entry.path,
        "source": entry.source,
        "aliases": entry.aliases,
    }
    if verbose and gguf is not None:
        body["tensors"] = [
            {"name": tensor.name, "type": str(tensor.type).upper(), "shape": list(tensor.shape)}
            for tensor in gguf.tensors.values()
        ]
    return body


def details(record: Record) -> dict[str, Any]:
    """Ollama's ``details`` of a model."""
    facts = record.blob.facts
    return {
        "parent_model": record.overrides.parent,
        "format": facts.format,
        "family": facts.architecture,
        "families": [facts.architecture],
        "parameter_size": parameter_size(facts.parameters),
        "quantization_level": facts.quantization,
    }


def parameters(options: dict[str, Any]) -> str:
    """Options one a line, a list's items on lines of their own, as a Modelfile has them."""
    lines = [
        f"{name:<30} {_quoted(value)}"
        for name, values in options.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return "\n".join(lines)


def modelfile(record: Record) -> str:
    """A Modelfile that would make this model."""
    overrides = record.overrides
    lines = [f"FROM {record.blob.path}"]
    if overrides.template:
        lines.append(f'TEMPLATE """{overrides.template}"""')
    if overrides.system:
        lines.append(f'SYSTEM """{overrides.system}"""')
    lines += [f"PARAMETER {' '.join(line.split(maxsplit=1))}" for line in parameters(overrides.options).splitlines()]
    lines += [f"MESSAGE {turn.get('role', '')} {turn.get('content', '')}" for turn in overrides.messages]
    if overrides.license:
        lines.append(f'LICENSE """{overrides.license}"""')
    return "\n".join(lines) + "\n"


def _info(record: Record, gguf: GGUFFile | None, verbose: bool) -> dict[str, Any]:
    """The file's metadata, or for other formats the same keys from what is known."""
    facts = record.blob.facts
    if gguf is None:
        architecture = facts.architecture
        return {
            "general.architecture": architecture,
            "general.parameter_count": facts.parameters,
            f"{architecture}.context_length": facts.context_length,
            f"{architecture}.embedding_length": facts.embedding_length,
        }
    info = {name: _plain(value, verbose) for name, value in gguf.metadata.items() if name != "tokenizer.chat_template"}
    return {**info, "general.parameter_count": facts.parameters}


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


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
