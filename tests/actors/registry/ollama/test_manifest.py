from __future__ import annotations

import json
from typing import Any

import pytest

from mlxr.actors.registry.ollama.manifest import (
    ADAPTER,
    LICENSE,
    MODEL,
    TENSOR,
    BadManifest,
    Config,
    Layer,
    Manifest,
    model_layer,
    read_manifest,
)

DIGEST = "sha256:" + "a" * 64


def encoded(**changes: Any) -> bytes:
    layer = {"mediaType": MODEL, "digest": DIGEST, "size": 5}
    return json.dumps({"schemaVersion": 2, "config": None, "layers": [layer], **changes}).encode()


def test_a_manifest_lists_its_layers_whatever_else_it_says() -> None:
    manifest = read_manifest(encoded(annotations={"a": 1}, mediaType="application/vnd.oci.image.manifest.v1+json"))
    assert manifest.of(MODEL) == [Layer(MODEL, DIGEST, 5)]
    assert manifest.layers[0].hex == "a" * 64


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html><body>Sign in</body></html>", "is a web page"),
        (b"", "is no manifest"),
        (b"[]", "is no manifest"),
        (b'{"layers": 5}', "is no manifest"),
        (encoded(schemaVersion=1), "version 1"),
        (encoded(layers=[]), "lists no layers"),
        (encoded(layers=[{"mediaType": MODEL, "digest": "sha256:../../x", "size": 5}]), "whose digest is"),
        (encoded(layers=[{"mediaType": MODEL, "digest": "md5:" + "a" * 64, "size": 5}]), "whose digest is"),
        (encoded(layers=[{"mediaType": MODEL, "digest": DIGEST, "size": -1}]), "layer of -1 bytes"),
        (encoded(layers=[{"mediaType": MODEL, "digest": DIGEST, "size": 1 << 62}]), "bytes"),
        (encoded(layers=[{"mediaType": LICENSE, "digest": DIGEST, "size": 1}] * 20000), "20000 layers"),
        (encoded(layers=[{"mediaType": ADAPTER, "digest": DIGEST, "size": 1}] * 2), "same adapter twice"),
        (b"\xff" * 100, "is no manifest"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadManifest, match=reason):
        read_manifest(data)


@pytest.mark.parametrize(
    ("layers", "config", "reason"),
    [
        ([TENSOR, TENSOR], Config(model_format="safetensors"), "single tensors"),
        ([], Config(remote_host="https://ollama.com:443"), "runs on https://ollama.com:443"),
        ([MODEL, MODEL], Config(), "2 model layers"),
        ([MODEL], Config(model_format="ggla"), "the format 'ggla'"),
        (["application/vnd.docker.image.rootfs.diff.tar.gzip"], Config(), "no Ollama model"),
    ],
)
def test_a_manifest_without_a_model_that_runs_here_says_why(layers: list[str], config: Config, reason: str) -> None:
    manifest = Manifest(layers=[Layer(kind, DIGEST, 5) for kind in layers])
    with pytest.raises(BadManifest, match=reason):
        model_layer(manifest, config)
