from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.actors.registry.metadata.read_info import read_model_info, with_template
from mlxr.models.chat import ChatError
from mlxr.models.errors import ModelFileError
from tests.actors.registry.packages import safetensors, tiny_gguf
from tests.models import model_path
from tests.models.architectures.checkpoints_encoders import (
    CASES,
    IN_GGUF,
    RANKERS,
    tensors_of,
    write_encoder,
    write_encoder_gguf,
    write_text_reranker,
)
from tests.models.architectures.test_encoder import RECORDED


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


@pytest.mark.parametrize("case", CASES)
def test_what_encodes_and_what_ranks_is_told_by_its_files(case: str, tmp_path: Path) -> None:
    able = {"qwen3 reranker": ["completion"]}.get(case, ["rerank"] if case in RANKERS else ["embedding"])
    tensors = tensors_of(RECORDED[case]["tensors"])
    config = CASES[case]
    told = [read_model_info(write_encoder(tmp_path / "model", config, tensors))]
    if case in IN_GGUF:
        pooling = 4 if case.startswith("qwen3") else 0
        told.append(read_model_info(write_encoder_gguf(tmp_path / "m.gguf", case, config, tensors, pooling)))
    for info in told:
        expected = ["rerank"] if info.format == "gguf" and case in RANKERS else able
        assert (info.capabilities, info.encoder) == (expected, not case.startswith("qwen3"))


def test_a_text_model_that_ranks_is_told_by_its_stages_or_its_card(tmp_path: Path) -> None:
    case = "qwen3 reranker"
    path = write_encoder(tmp_path / "model", CASES[case], tensors_of(RECORDED[case]["tensors"]))
    assert read_model_info(write_text_reranker(path)).capabilities == ["rerank"]
    (path / "modules.json").unlink()
    assert read_model_info(path).capabilities == ["completion"]
    (path / "README.md").write_text("# Qwen3-Reranker-0.6B\n")
    words = {"[UNK]": 0, "no": 1, "yes": 2}
    (path / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordLevel", "vocab": words}}))
    assert read_model_info(path).capabilities == ["rerank"]


def test_a_causal_model_with_stages_of_embeddings_embeds(tmp_path: Path) -> None:
    case = "qwen3 reranker"
    path = write_encoder(tmp_path / "model", CASES[case], tensors_of(RECORDED[case]["tensors"]))
    (path / "modules.json").write_text('[{"type": "x.Transformer", "path": ""}]')
    info = read_model_info(path)
    assert (info.capabilities, info.encoder) == (["embedding"], False)
    tensors = tensors_of(RECORDED[case]["tensors"])
    info = read_model_info(write_encoder_gguf(tmp_path / "m.gguf", "qwen3 embedder", CASES[case], tensors, pooling=3))
    assert info.capabilities == ["embedding"]
