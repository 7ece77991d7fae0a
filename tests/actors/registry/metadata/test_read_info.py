from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.actors.registry.metadata.read_info import read_model_info, with_template
from mlxr.models.chat import ChatError
from mlxr.models.errors import ModelFileError
from tests.actors.registry.packages import safetensors, tiny_gguf
from tests.models import model_path


def test_a_chat_model_is_described_by_its_file() -> None:
    info = read_model_info(model_path("smollm2"))
    assert (info.format, info.architecture, info.quantization) == ("gguf", "llama", "Q4_1")
    assert (info.parameters, info.context_length, info.embedding_length) == (134_515_008, 8192, 576)
    assert info.capabilities == ["completion", "tools"]
    assert info.license == "apache-2.0"
    assert "<|im_start|>" in info.template


def test_an_embedding_model_is_described_by_its_folder() -> None:
    info = read_model_info(model_path("minilm"))
    assert (info.format, info.architecture, info.quantization) == ("safetensors", "bert", "F32")
    # The published 22.7 M, without the buffer of positions that its file holds as well.
    assert (info.parameters, info.context_length, info.embedding_length) == (22_713_216, 256, 384)
    assert info.capabilities == ["embedding"]


def test_without_a_file_type_the_tensors_tell_the_quantization(tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "x.gguf", file_type=999)
    assert read_model_info(tmp_path / "x.gguf").quantization == "F32"


def test_another_template_gives_other_capabilities() -> None:
    template = "{% for m in messages %}{{ m.content }}</think>{% endfor %}"
    assert with_template(template, False) == ["completion", "thinking"]
    assert with_template(template, True) == ["completion", "thinking", "insert"]
    with pytest.raises(ChatError):
        with_template("{% for %}", False)


@pytest.mark.parametrize("length", [0, 3, 40, 300])
def test_a_truncated_file_is_named_with_the_place(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_gguf(tmp_path / "x.gguf")[:length])
    with pytest.raises(ModelFileError, match=r"cut\.gguf.*byte"):
        read_model_info(path)


def folder(path: Path, config: object, weights: bytes) -> Path:
    path.mkdir()
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (path / "model.safetensors").write_bytes(weights)
    return path


@pytest.mark.parametrize(
    ("config", "weights", "reason"),
    [
        ("{", safetensors(), r"config\.json.*corrupt"),
        ({}, safetensors(), "model_type"),
        ({"model_type": "bert"}, safetensors()[:20], r"model\.safetensors.*truncated"),
        ({"model_type": "bert"}, safetensors()[:-1], r"model\.safetensors.*truncated"),
        ({"model_type": "bert"}, (4).to_bytes(8, "little") + b"oops", r"model\.safetensors.*corrupt"),
    ],
)
def test_a_broken_folder_is_named_with_the_reason(tmp_path: Path, config: object, weights: bytes, reason: str) -> None:
    with pytest.raises(ModelFileError, match=reason):
        read_model_info(folder(tmp_path / "model", config, weights))


def test_a_folder_of_a_language_model_completes(tmp_path: Path) -> None:
    path = folder(
        tmp_path / "m", {"model_type": "qwen3", "hidden_size": 4, "max_position_embeddings": 9}, safetensors()
    )
    (path / "chat_template.jinja").write_text("{{ messages }}")
    info = read_model_info(path)
    assert (info.architecture, info.parameters, info.context_length) == ("qwen3", 6, 9)
    assert (info.capabilities, info.template) == (["completion"], "{{ messages }}")
