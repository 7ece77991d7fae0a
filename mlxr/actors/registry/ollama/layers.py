"""What the layers of one of Ollama's models lay over its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.ollama.manifest import (
    LICENSE,
    MESSAGES,
    PARAMS,
    PROMPT,
    SYSTEM,
    TEMPLATE,
    TEXTS,
    UNUSED,
    BadManifest,
    Config,
    Layer,
    Manifest,
)
from mlxr.runtime.model_info import MAX_TEXT

MOST_TEXTS = 64
"""Layers of texts in one manifest."""

Read = Callable[[Layer], bytes]
"""Returns the bytes of a small layer; raises ``OSError`` and ``BadManifest``."""


def read_config(manifest: Manifest, read: Read) -> Config:
    """Returns what the config layer says; raises ``BadManifest`` for one that is malformed."""
    if manifest.config is None or not manifest.config.digest:
        return Config()
    try:
        return msgspec.json.decode(read(_short(manifest.config)), type=Config)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadManifest(f"has a config that can't be read: {error}") from None


def read_overrides(manifest: Manifest, config: Config, read: Read) -> Overrides:
    """Returns what is laid over the model's file, but for adapters. Raises ``BadManifest`` for texts that are too long
    or malformed."""
    texts: dict[str, list[bytes]] = {}
    for layer in manifest.layers:
        if layer.media_type in TEXTS:
            texts.setdefault(layer.media_type, []).append(read(_short(layer)))
    template = [*texts.get(PROMPT, []), *texts.get(TEMPLATE, [])]
    config = read_config(manifest, read)
    license = "\n".join(_text(text, "license") for text in texts.get(LICENSE, []))
    if len(license) > MAX_TEXT:
        raise BadManifest(f"has licenses of {len(license)} characters; a model's may have {MAX_TEXT}")
    options = _json(texts[PARAMS][-1], "parameters", dict[str, Any] | None) if PARAMS in texts else {}
    messages = _json(texts[MESSAGES][-1], "messages", list[dict[str, Any]] | None) if MESSAGES in texts else []
    return Overrides(
        template=_text(template[-1], "template") if template else "",
        system=_text(texts[SYSTEM][-1], "system prompt") if SYSTEM in texts else "",
        options=options or {},
        messages=messages or [],
        license=license,
        renderer=config.renderer,
        parser=config.parser,
        requires=config.requires,
    )


def short_layers(manifest: Manifest) -> list[Layer]:
    """Returns the layers that are read whole: the config, and texts. Raises ``BadManifest`` where one is too long, or
    all together are."""
    config = [manifest.config] if manifest.config is not None and manifest.config.digest else []
    layers = [*config, *(layer for layer in manifest.layers if layer.media_type in TEXTS)]
    if len(layers) > MOST_TEXTS:
        raise BadManifest(f"has {len(layers)} layers of texts; {MOST_TEXTS} are the most")
    return [_short(layer) for layer in layers]


def unused(manifest: Manifest) -> list[str]:
    """Returns what the model has that mlxr does not use, in words."""
    return sorted({UNUSED[layer.media_type] for layer in manifest.layers if layer.media_type in UNUSED})


def _short(layer: Layer) -> Layer:
    if layer.size > MAX_TEXT:
        kind = layer.media_type.rpartition(".")[2][:40]
        raise BadManifest(f"has a layer of {layer.size} bytes for its {kind}; {MAX_TEXT} are the most")
    return layer


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadManifest(f"has a {what} that is no UTF-8 text") from None


def _json(data: bytes, what: str, type: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"has {what} that can't be read: {error}") from None
