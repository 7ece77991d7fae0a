"""A model of the catalogue as layers of Ollama's: its file, adapters, and what is laid over them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.ollama.manifest import (
    ADAPTER,
    CONFIG_TYPE,
    LICENSE,
    MESSAGES,
    MODEL,
    PARAMS,
    SYSTEM,
    TEMPLATE,
    Config,
    Layer,
    Manifest,
)
from mlxr.models import names
from mlxr.models.sizes import parameter_size
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo


@dataclass(frozen=True, slots=True)
class OwnLayer:
    """``content``: its bytes, or the file that has them."""

    layer: Layer
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class OwnModel:
    """``layers``: all that is uploaded, the config last."""

    manifest: Manifest
    layers: tuple[OwnLayer, ...]


def own_model(entry: CatalogueEntry) -> OwnModel:
    """Returns what is pushed of ``entry``; raises ``RequestError`` for what registries of this kind do not take."""
    path, name = entry.blob.path, names.quoted(entry.name)
    if entry.blob.info.is_adapter:
        raise _refused(f"{name} is an adapter; push a model that was made with it (`ADAPTER` in a Modelfile)")
    if entry.blob.info.format != "gguf":
        raise _refused(
            f"{name} is a folder of {entry.blob.info.format} files, and registries of Ollama's kind take GGUF files; "
            "`mlxr convert` makes one"
        )
    if not path.is_file():
        raise _refused(
            f"{name} is in several GGUF files, and a registry takes one; `llama-gguf-split --merge` joins them"
        )
    layers = [OwnLayer(Layer(MODEL, f"sha256:{entry.blob.digest}", entry.blob.size), path)]
    for adapter in entry.adapters:
        file = Path(adapter.path)
        if not file.is_file():
            raise _refused(f"{name} has the adapter {adapter.name} in a folder; only GGUF adapters can be pushed")
        layers.append(OwnLayer(Layer(ADAPTER, f"sha256:{adapter.digest}", file.stat().st_size), file))
    laid = entry.overrides
    texts = [(TEMPLATE, laid.template.encode()), (SYSTEM, laid.system.encode()), (LICENSE, laid.license.encode())]
    texts += [(PARAMS, msgspec.json.encode(laid.options) if laid.options else b"")]
    texts += [(MESSAGES, msgspec.json.encode(laid.messages) if laid.messages else b"")]
    layers += [_text(kind, data) for kind, data in texts if data]
    config = _text(CONFIG_TYPE, _config(entry, layers))
    manifest = Manifest(config=config.layer, layers=[each.layer for each in layers])
    return OwnModel(manifest, (*layers, config))


def _refused(message: str) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.UNSUPPORTED, message, "model"))


def _text(media_type: str, data: bytes) -> OwnLayer:
    return OwnLayer(Layer(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)), data)


def _config(entry: CatalogueEntry, layers: list[OwnLayer]) -> bytes:
    info, laid = entry.blob.info, entry.overrides
    config = Config(
        model_format="gguf",
        model_family=info.architecture,
        model_families=[info.architecture],
        model_type=parameter_size(info.parameters),
        file_type=info.quantization,
        renderer=laid.renderer,
        parser=laid.parser,
        requires=laid.requires,
    )
    listed = {"type": "layers", "diff_ids": [each.layer.digest for each in layers]}
    required = {"architecture": config.architecture, "os": config.os, "rootfs": listed}
    return msgspec.json.encode({**msgspec.to_builtins(config), **required})
