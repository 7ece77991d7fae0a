"""Folders as GGUF files, against files that tests write of the same weights; ``tests/peers`` has llama.cpp's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

from mlxr.metal.reference import dequantize as reference
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.conversion import to_gguf
from mlxr.models.conversion.gguf_tokenizer import tokenizer_files
from mlxr.models.conversion.to_gguf import model_of_folder
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.header import read_header
from mlxr.models.loading import check_model, load_model
from mlxr.models.quantization.encoding import write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import plan
from mlxr.models.tokenizers.load import load_directory, load_gguf
from tests.models import model_path
from tests.models.architectures import (
    checkpoints,
    checkpoints_decoders,
    checkpoints_gemma,
    checkpoints_hybrid,
    checkpoints_latent,
    checkpoints_recurrent,
)
from tests.models.exported import export_llama
from tests.oracle.fidelity import run_chunks

CASES: list[tuple[ModuleType, str]] = [
    *((checkpoints, case) for case in checkpoints.CASES),
    *((checkpoints_decoders, case) for case in checkpoints_decoders.CASES),
]


@pytest.fixture
def made_up_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny checkpoints have no tokenizer."""

    def words(writer: Any, folder: Path, config: Any, sentencepiece: bool, kind: str) -> None:
        writer.add_tokenizer_model("none")

    monkeypatch.setattr(to_gguf, "add_vocabulary", words)


def written(source: Path, target: Path, type: str = "F32") -> Path:
    made = plan(model_of_folder(source), file_type(type))
    with target.open("wb") as file:
        write_model(file, made.pairs, made.outputs, 2, lambda done, total: None)
    return target


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize(("family", "case"), CASES, ids=[case for _, case in CASES])
def test_a_folder_has_the_tensors_and_settings_of_the_gguf_file_of_its_weights(
    family: ModuleType, case: str, tmp_path: Path, made_up_words: None
) -> None:
    config = family.config_of(case)
    folder, theirs = tmp_path / "folder", family.write_gguf(tmp_path / "theirs.gguf", config)
    family.write_folder(folder, config)
    architecture = GGUFReader(theirs).fields["general.architecture"].contents()
    ours = written(folder, tmp_path / "ours.gguf")
    expected, got = tensors_of(theirs), tensors_of(ours)
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(got[name].reshape(-1), values.reshape(-1), rtol=2e-7, err_msg=name)
    fields = GGUFFile.open(ours).metadata
    for key, value in GGUFFile.open(theirs).metadata.items():
        if key.startswith(architecture) and key in fields and np.ndim(value) == 0:
            assert fields[key] == pytest.approx(value), key


FURTHER: list[tuple[ModuleType, str]] = [
    (module, case)
    for module in (checkpoints_gemma, checkpoints_hybrid, checkpoints_latent, checkpoints_recurrent)
    for case in module.CASES
]
UNNAMED = {"lfm2 with biases": "conv.in_proj.bias", "granite 4 with biases": "mamba.in_proj.bias"}
"""Cases with tensors that GGUF has no name for."""


@pytest.mark.parametrize(("family", "case"), FURTHER, ids=[case for _, case in FURTHER])
def test_a_folder_s_file_gives_the_folder_s_logits(
    family: ModuleType, case: str, tmp_path: Path, made_up_words: None
) -> None:
    family.write_folder(tmp_path / "folder", family.config_of(case))
    if case in UNNAMED:
        with pytest.raises(UnsupportedModelError, match=rf"{UNNAMED[case]}', for which GGUF files of .* have no name"):
            model_of_folder(tmp_path / "folder")
        return
    ours = written(tmp_path / "folder", tmp_path / "ours.gguf")
    check_model(ours)
    tokens = np.random.default_rng(3).integers(3, 90, 24).tolist()
    expected, got = (logits_of(path, tokens) for path in (tmp_path / "folder", ours))
    np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())


def logits_of(path: Path, tokens: list[int]) -> np.ndarray:
    backend = ReferenceBackend()
    model = load_model(path, backend)
    hidden = run_chunks(model, backend, tokens, 7, page_size=8)
    return np.array(model.logits(hidden, mx.arange(len(tokens))))


def test_a_folder_makes_the_file_it_was_made_of(tmp_path: Path) -> None:
    folder = export_llama(model_path("smollm2"), tmp_path / "folder")
    made = GGUFFile.open(written(folder, tmp_path / "made.gguf", "F16"))
    source = GGUFFile.open(model_path("smollm2"))
    for key in ("tokens", "merges", "token_type", "pre", "model", "bos_token_id", "eos_token_id"):
        theirs, ours = (file.metadata[f"tokenizer.ggml.{key}"] for file in (source, made))
        assert list(ours) == list(theirs) if np.ndim(theirs) or not isinstance(theirs, str | int) else ours == theirs
    assert made.metadata["tokenizer.chat_template"] == source.metadata["tokenizer.chat_template"]
    for name in ("blk.3.attn_q.weight", "blk.3.attn_k.weight", "blk.3.ffn_down.weight", "token_embd.weight"):
        theirs, ours = (to_values(file, name) for file in (source, made))
        np.testing.assert_array_equal(ours, theirs.astype(np.float16).astype(np.float32))


def to_values(file: GGUFFile, name: str) -> np.ndarray:
    return reference.dequantize(file.tensors[name].read())


def test_an_encoder_s_words_and_pooling_come_along(tmp_path: Path) -> None:
    made = GGUFFile.open(written(model_path("minilm"), tmp_path / "made.gguf"))
    assert made.metadata["bert.pooling_type"] == 1
    assert made.metadata["bert.attention.causal"] is False
    text = "Alice was beginning to get very tired of sitting by her sister: unbelievable!"
    assert load_gguf(made.metadata).encode(text) == load_directory(model_path("minilm")).encode(text)


def test_gemma_4_s_words_come_along(tmp_path: Path) -> None:
    # Gemma 3's have the same pieces, here with the merges that folders of both have.
    family, case = checkpoints_gemma, "gemma4 with experts"
    files = tokenizer_files(read_header(model_path("gemma3")).parameters.values)
    tokens = len(json.loads(files["tokenizer.json"])["model"]["vocab"])
    family.write_folder(tmp_path / "folder", {**family.config_of(case), "vocab_size": tokens, "hidden_size": 8})
    for name, text in files.items():
        (tmp_path / "folder" / name).write_text(text, encoding="utf-8")
    made = GGUFFile.open(written(tmp_path / "folder", tmp_path / "made.gguf"))
    assert made.metadata["tokenizer.ggml.model"] == "gemma4"
    text = "Alice was  beginning\nto get very tired: unbelievable! 日本語 🎉"
    for special in (True, False):
        theirs = load_directory(tmp_path / "folder").encode(text, parse_special=special)
        assert load_gguf(made.metadata).encode(text, parse_special=special) == theirs


def test_who_made_a_model_is_taken_from_its_readme(tmp_path: Path, made_up_words: None) -> None:
    checkpoints.write_folder(tmp_path / "m", checkpoints.config_of("qwen3"))
    (tmp_path / "m" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Mine\n")
    metadata = GGUFFile.open(written(tmp_path / "m", tmp_path / "m.gguf")).metadata
    assert metadata["general.license"] == "apache-2.0"
    assert metadata["general.type"] == "model"
    (tmp_path / "m" / "README.md").write_text("---\n{[: no yaml\n---\n")
    assert "general.name" in GGUFFile.open(written(tmp_path / "m", tmp_path / "n.gguf")).metadata


def test_a_tokenizer_without_a_name_in_gguf_is_refused_by_its_patterns(tmp_path: Path) -> None:
    folder = export_llama(model_path("smollm2"), tmp_path / "folder")
    source = json.loads((folder / "tokenizer.json").read_text())
    source["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": "x+y"}, "behavior": "Isolated", "invert": False}
    (folder / "tokenizer.json").write_text(json.dumps(source))
    with pytest.raises(UnsupportedModelError, match=r"cuts texts by 'x\+y'"):
        model_of_folder(folder)
    shutil.rmtree(folder)
