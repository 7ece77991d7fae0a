from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.actors.registry.metadata.show import show
from tests.models import model_path


def entry(name: str, overrides: Overrides | None = None) -> CatalogueEntry:
    path = model_path(name)
    return CatalogueEntry(name, Blob("d" * 64, path, 1, read_model_info(path)), 0.0, overrides=overrides or Overrides())


def test_what_ollama_clients_read_is_there() -> None:
    body = show(entry("smollm2"), verbose=False)
    assert body["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "134.52M",
        "quantization_level": "Q4_1",
    }
    info = body["model_info"]
    assert info["general.architecture"] == "llama"
    assert info["general.parameter_count"] == 134_515_008
    assert info["llama.context_length"] == 8192
    assert body["capabilities"] == ["completion", "tools"]
    assert body["modified_at"].startswith("1970-01-01T00:00:00")
    assert "tensors" not in body


@pytest.mark.parametrize(("verbose", "shown"), [(False, False), (True, True)])
def test_vocabularies_are_shown_only_when_all_is_asked_for(verbose: bool, shown: bool) -> None:
    body = show(entry("smollm2"), verbose)
    assert (body["model_info"]["tokenizer.ggml.tokens"] is not None) is shown
    assert ("tensors" in body) is shown
    msgspec.json.encode(body)


def test_tensors_are_listed_by_name_type_and_shape() -> None:
    tensors = show(entry("smollm2"), verbose=True)["tensors"]
    assert {"name": "output_norm.weight", "type": "F32", "shape": [576]} in tensors


def test_overrides_show_as_a_modelfile_has_them() -> None:
    overrides = Overrides(
        system="be brief",
        template="{{ prompt }}",
        options={"temperature": 0.5, "stop": ["<a>", "<b>"], "penalize_newline": True},
        messages=[{"role": "user", "content": "hi"}],
        license="mine",
    )
    body = show(entry("smollm2", overrides), verbose=False)
    assert body["parameters"].splitlines() == [
        "temperature                    0.5",
        'stop                           "<a>"',
        'stop                           "<b>"',
        "penalize_newline               true",
    ]
    assert body["modelfile"].splitlines()[1:] == [
        'TEMPLATE """{{ prompt }}"""',
        'SYSTEM """be brief"""',
        "PARAMETER temperature 0.5",
        'PARAMETER stop "<a>"',
        'PARAMETER stop "<b>"',
        "PARAMETER penalize_newline true",
        "MESSAGE user hi",
        'LICENSE """mine"""',
    ]
    assert (body["system"], body["template"], body["license"]) == ("be brief", "{{ prompt }}", "mine")
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_clients_on_other_machines_are_shown_no_paths() -> None:
    made = structs.replace(
        entry("smollm2", Overrides(parent="/home/me/x.gguf")),
        source="/home/me/x.gguf",
        aliases=["/home/me/x.gguf", "twin"],
    )
    body = show(made, verbose=False, remote=True)
    assert b"/home" not in msgspec.json.encode(body)
    assert str(made.blob.path).encode() not in msgspec.json.encode(body)
    assert body["modelfile"] == "FROM smollm2\n"
    assert body["aliases"] == ["twin"]
    assert show(made, verbose=False)["path"] == str(made.blob.path)


def test_a_model_folder_has_the_same_keys() -> None:
    body = show(entry("minilm"), verbose=True)
    assert body["model_info"]["bert.embedding_length"] == 384
    assert body["model_info"]["general.basename"] == "minilm"
    assert body["details"]["format"] == "safetensors"
    assert body["capabilities"] == ["embedding"]
