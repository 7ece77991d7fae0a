"""Manifests of Ollama's models: Docker's image manifest, version 2, with media types of Ollama's own."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
OCI_TYPE = "application/vnd.oci.image.manifest.v1+json"
MOST_BYTES = 8 << 20
"""Of a manifest: those of models in single tensors have some thousand layers."""
MOST_LAYERS = 16384

_OLLAMA = "application/vnd.ollama.image."
MODEL, ADAPTER, PROJECTOR, DRAFT = (f"{_OLLAMA}{kind}" for kind in ("model", "adapter", "projector", "draft"))
TEMPLATE, PROMPT, SYSTEM, PARAMS = (f"{_OLLAMA}{kind}" for kind in ("template", "prompt", "system", "params"))
MESSAGES, LICENSE, EMBED = (f"{_OLLAMA}{kind}" for kind in ("messages", "license", "embed"))
TENSOR = f"{_OLLAMA}tensor"
TEXTS = frozenset({TEMPLATE, PROMPT, SYSTEM, PARAMS, MESSAGES, LICENSE})
"""Layers that say how a model is used."""
UNUSED = {
    PROJECTOR: "a projector, which reads images or sound",
    DRAFT: "a draft model",
    EMBED: "embeddings of documents",
}
"""Layers that Ollama uses and mlxr does not, in words that go behind "has"."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BadManifest(ValueError):  # noqa: N818  (reads as what it is)
    """A manifest that can't be used; the text is a phrase that goes behind "it"."""


class Layer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """``digest``: ``sha256:`` and 64 hexadecimal digits. ``size``: in bytes."""

    media_type: str
    digest: str
    size: int
    name: str = ""

    @property
    def hex(self) -> str:
        return self.digest.removeprefix("sha256:")


class Manifest(Struct, frozen=True, rename="camel"):
    """``layers``: in their order, with ``config`` beside them."""

    schema_version: int = 2
    media_type: str = MANIFEST_TYPE
    config: Layer | None = None
    layers: list[Layer] = []

    def of(self, *media_types: str) -> list[Layer]:
        """Returns the layers of these types."""
        return [layer for layer in self.layers if layer.media_type in media_types]


class Config(Struct, frozen=True, omit_defaults=True):
    """What the config layer says, as far as mlxr asks.

    model_format: gguf or safetensors.
    renderer, parser: what Ollama writes prompts and reads answers with, where that is no template.
    requires: the release of Ollama that it asks for.
    remote_host, remote_model: of a model that runs on another machine, and has no files here.
    """

    model_format: str = ""
    model_family: str = ""
    model_families: list[str] | None = None
    model_type: str = ""
    file_type: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    remote_model: str = ""
    architecture: str = "amd64"
    os: str = "linux"


def read_manifest(data: bytes) -> Manifest:
    """Returns the manifest; raises ``BadManifest`` for what is none, or is malformed."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except RecursionError:
        raise BadManifest("is nested too deep for a manifest") from None
    except msgspec.DecodeError as error:
        if data.lstrip()[:1] == b"<":
            raise BadManifest("is a web page, and no manifest") from None
        raise BadManifest(f"is no manifest: {error}") from None
    if manifest.schema_version != 2:
        raise BadManifest(f"is a manifest of version {manifest.schema_version}; mlxr reads version 2")
    if manifest.media_type not in ("", MANIFEST_TYPE, OCI_TYPE):
        raise BadManifest(f"is a manifest of the type {manifest.media_type[:100]!r}; mlxr reads {MANIFEST_TYPE}")
    every = [*manifest.layers, *([manifest.config] if manifest.config and manifest.config.digest else [])]
    if not every:
        raise BadManifest("lists no layers")
    if len(every) > MOST_LAYERS:
        raise BadManifest(f"lists {len(every)} layers; {MOST_LAYERS} are the most")
    adapters = [layer.hex[:12] for layer in manifest.of(ADAPTER)]
    if len(set(adapters)) < len(adapters):
        raise BadManifest("lists the same adapter twice")
    for layer in every:
        if not _DIGEST.fullmatch(layer.digest):
            raise BadManifest(f"has a layer whose digest is {layer.digest[:100]!r}, and not sha256: and 64 digits")
        if not 0 <= layer.size < 1 << 62:
            raise BadManifest(f"has a layer of {layer.size} bytes")
    return manifest


def model_layer(manifest: Manifest, config: Config) -> Layer:
    """Returns the layer that is the model's GGUF file; raises ``BadManifest`` where there is none that mlxr can run,
    which says why."""
    found = manifest.of(MODEL)
    if len(found) == 1 and config.model_format in ("", "gguf"):
        return found[0]
    if config.remote_host:
        raise BadManifest(f"runs on {config.remote_host[:100]} and has no model file; pull one that runs here")
    if manifest.of(TENSOR) or config.model_format == "safetensors":
        raise BadManifest("is stored as single tensors for Ollama's own MLX runner; pull a GGUF or MLX version of it")
    if len(found) > 1:
        raise BadManifest(f"has {len(found)} model layers; mlxr reads models in one")
    if found:
        raise BadManifest(f"has a model in the format {config.model_format[:40]!r}; mlxr reads gguf")
    kinds = ", ".join(sorted({layer.media_type[:80] for layer in manifest.layers})[:4])
    raise BadManifest(f"has no model layer ({kinds or 'no layers'}); it is no Ollama model")
