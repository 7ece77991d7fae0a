"""The life of a model by the ``ollama`` package: loaded, copied, made, pulled, deleted."""

from __future__ import annotations

from pathlib import Path

import ollama
import pytest

from tests.clients.asking import HI
from tests.models import model_path
from tests.server import eventually

pytestmark = pytest.mark.clients

EXACT = {"temperature": 0, "num_predict": 16}


def running(client: ollama.Client) -> set[str]:
    return {model.model for model in client.ps().models}


def test_models_load_and_unload_by_keep_alive(ollama_client: ollama.Client) -> None:
    loaded = ollama_client.generate("gemma3", keep_alive=-1)
    assert (loaded.done_reason, loaded.response) == ("load", "")
    assert "gemma3:latest" in running(ollama_client)
    unloaded = ollama_client.chat("gemma3", [], keep_alive=0)
    assert unloaded.done_reason == "unload"
    eventually(lambda: "gemma3:latest" not in running(ollama_client))
    ollama_client.generate("gemma3", "Hi", keep_alive=0, options=EXACT)
    eventually(lambda: "gemma3:latest" not in running(ollama_client))


def test_a_model_is_copied_remade_and_deleted(ollama_client: ollama.Client) -> None:
    ollama_client.copy("smollm2", "twin")
    assert ollama_client.show("twin").details.family == "llama"
    progress = [
        part.status
        for part in ollama_client.create(
            "zorblax", from_="twin", system="You are Zorblax.", parameters={"num_predict": 4}, stream=True
        )
    ]
    assert progress[-1] == "success"
    answer = ollama_client.chat("zorblax", HI, options={"temperature": 0})
    assert answer.eval_count == 4
    assert ollama_client.show("zorblax").modelfile
    for name in ("zorblax", "twin"):
        assert ollama_client.delete(name).status == "success"
    assert not {"twin:latest", "zorblax:latest"} & {model.model for model in ollama_client.list().models}
    assert ollama_client.show("smollm2")


def test_a_model_is_made_of_an_uploaded_file(ollama_client: ollama.Client) -> None:
    path = model_path("smollm2")
    digest = ollama_client.create_blob(path)
    assert digest == ollama_client.create_blob(path)
    made = ollama_client.create("uploaded", files={"model.gguf": digest})
    assert made.status == "success"
    assert ollama_client.generate("uploaded", "Hi", options=EXACT, keep_alive=0).response
    ollama_client.delete("uploaded")
    with pytest.raises(ollama.ResponseError):
        ollama_client.create("nothing", files={"model.gguf": "sha256:" + "0" * 64})


def test_a_model_is_pulled_with_progress(ollama_client: ollama.Client, tmp_path: Path) -> None:
    copy = tmp_path / "again.gguf"
    copy.hardlink_to(model_path("smollm2"))
    statuses = [part.status for part in ollama_client.pull(str(copy), stream=True)]
    assert statuses[0] == "pulling manifest"
    assert statuses[-1] == "success"
    ollama_client.delete("again")
    with pytest.raises(ollama.ResponseError):
        ollama_client.pull("nobody/no-such-model-anywhere")
    with pytest.raises(ollama.ResponseError):
        ollama_client.push("smollm2")
