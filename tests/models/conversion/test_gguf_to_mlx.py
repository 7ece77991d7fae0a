"""GGUF files as MLX folders, against the folders that tests write of the same weights; ``tests/peers`` has mlx-lm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGMLQuantizationType

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.conversion import gguf_to_mlx, to_gguf
from mlxr.models.conversion.gguf_config import config_of
from mlxr.models.conversion.gguf_config_rows import ROWS
from mlxr.models.conversion.gguf_to_mlx import folder_of_gguf
from mlxr.models.conversion.gguf_tokenizer import tokenizer_files
from mlxr.models.conversion.mlx_types import matrix_type
from mlxr.models.conversion.to_mlx import write_folder
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import read_header
from mlxr.models.hyperparameters import Format
from mlxr.models.loading import check_model
from mlxr.models.quantization.encoding import write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import Model, plan
from mlxr.models.tokenizers.load import load_directory, load_gguf
from tests.models import model_path
from tests.models.architectures import checkpoints, checkpoints_decoders
from tests.models.conversion.test_to_gguf import FURTHER, UNNAMED, logits_of, written
from tests.models.quantization.models import small_model

EVERY: list[tuple[ModuleType, str]] = [
    *((checkpoints, case) for case in checkpoints.CASES),
    *((checkpoints_decoders, case) for case in checkpoints_decoders.CASES),
]
NAMED_BY_MLX = ("gpt_oss", "granitemoe", "granitemoeshared", "dots1", "solar_open")
"""Cases whose experts mlx-lm calls otherwise."""
CASES = [(module, case) for module, case in EVERY if case not in NAMED_BY_MLX]


def made(source: Path, target: Path, type: str = "", group: int = 0, requantize: bool = False) -> Path:
    write_folder(folder_of_gguf(source, matrix_type(type, group), requantize), target, lambda done, total: None)
    check_model(target)
    return target


def values_of(path: Path) -> dict[str, np.ndarray]:
    """Tensors by names, shaped as they are stored; those of experts together."""
    return {name: dequantize(tensor.read()).reshape(tensor.shape) for name, tensor in read_header(path).tensors.items()}


@pytest.mark.parametrize(("family", "case"), CASES, ids=[case for _, case in CASES])
def test_a_gguf_file_becomes_the_folder_that_it_was_made_of(
    family: ModuleType, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = family.config_of(case)
    source = family.write_gguf(tmp_path / "model.gguf", config)
    family.write_folder(tmp_path / "folder", config)
    monkeypatch.setattr(gguf_to_mlx, "tokenizer_files", lambda metadata: {})  # tiny checkpoints have none
    header = read_header(source)
    if header.architecture not in ROWS or Format.MLX not in header.family.tables or case in UNDESCRIBED:
        with pytest.raises(UnsupportedModelError, match=r"which mlx-lm does not run|mlxr writes"):
            folder_of_gguf(source, matrix_type("", 0), False)
        return
    got = values_of(made(source, tmp_path / "made"))
    expected = values_of(tmp_path / "folder")
    together = {name: values for name, values in got.items() if ".switch_mlp." in name}
    assert got.keys() - together.keys() <= expected.keys()
    for name, values in got.items():
        if name not in together:
            np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)
    experts = {name for name in expected if ".experts." in name and name.endswith("weight")}
    assert expected.keys() - got.keys() <= experts
    assert sum(values.size for values in together.values()) == sum(expected[name].size for name in experts - got.keys())
    settings = json.loads((tmp_path / "made" / "config.json").read_text())
    assert settings["model_type"] == json.loads((tmp_path / "folder" / "config.json").read_text())["model_type"]


WITHOUT = {
    "gemma3n": "which mlxr writes no MLX folders yet",
    "gemma3n with another active stream": "which mlxr writes no MLX folders yet",
    "minicpm3": "which mlxr writes no MLX folders yet",
    "youtu": "which mlx-lm's DeepSeek asks for",
    "falcon_h1": "which mlx-lm does not run",
    "falcon_h1 with norms": "which mlx-lm does not run",
}
"""Cases of which no folders are written, and why."""
WRITTEN = [
    *((module, case) for module, case in EVERY if case in NAMED_BY_MLX),
    *((module, case) for module, case in FURTHER if case not in UNNAMED),
]


@pytest.mark.parametrize(("family", "case"), WRITTEN, ids=[case for _, case in WRITTEN])
def test_a_file_s_folder_gives_the_file_s_logits(
    family: ModuleType, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_to_mlx, "tokenizer_files", lambda metadata: {})  # tiny checkpoints have none
    monkeypatch.setattr(to_gguf, "add_vocabulary", lambda writer, *others: writer.add_tokenizer_model("none"))
    family.write_folder(tmp_path / "folder", family.config_of(case))
    source = written(tmp_path / "folder", tmp_path / "model.gguf")
    if case in WITHOUT:
        with pytest.raises(UnsupportedModelError, match=WITHOUT[case]):
            made(source, tmp_path / "made")
        return
    tokens = np.random.default_rng(3).integers(3, 90, 24).tolist()
    expected, got = (logits_of(path, tokens) for path in (source, made(source, tmp_path / "made")))
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


UNDESCRIBED = ("qwen2 with windows", "qwen3_moe with a dense layer")
"""Cases with settings of their own, which are refused."""


@pytest.mark.parametrize(("type", "bits"), [("Q4_0", 4), ("Q4_1", 4), ("Q5_0", 5), ("Q5_1", 5), ("Q8_0", 8)])
def test_codes_that_mlx_has_stay_exactly(type: str, bits: int, tmp_path: Path) -> None:
    source = small_model(tmp_path / "a.gguf", layers=1, type=GGMLQuantizationType[type])
    folder = made(source, tmp_path / "made")
    arrays = mx.load(str(folder / "model.safetensors"))
    theirs = read_header(source).tensors["blk.0.ffn_up.weight"]
    expected = dequantize(theirs.read())
    stem = "model.layers.0.mlp.up_proj"
    scales, biases = (arrays[f"{stem}.{part}"].astype(mx.float32) for part in ("scales", "biases"))
    values = mx.dequantize(arrays[f"{stem}.weight"], scales, biases, group_size=32, bits=bits)
    np.testing.assert_allclose(np.array(values), expected, rtol=1e-6, atol=1e-9)
    assert arrays[f"{stem}.scales"].dtype == mx.float16
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == bits


@pytest.mark.parametrize(
    ("type", "bits", "mode"),
    [
        ("Q4_K", 4, "affine"),
        ("Q5_K", 5, "affine"),
        ("IQ4_NL", 8, "affine"),
        ("IQ4_XS", 8, "affine"),
        ("MXFP4", 4, "mxfp4"),
    ],
)
def test_codes_of_other_types_lose_no_more_than_their_scales_last_bits(
    type: str, bits: int, mode: str, tmp_path: Path
) -> None:
    plain = small_model(tmp_path / "plain.gguf", layers=1)
    source = tmp_path / "a.gguf"
    planned = plan(Model.of_gguf(plain), file_type("F32"))
    outputs = [
        replace(output, type=TensorType[type]) if len(output.source.shape) == 2 else output
        for output in planned.outputs
    ]
    with source.open("wb") as file:
        write_model(file, planned.pairs, outputs, 1, lambda done, total: None)
    folder = made(source, tmp_path / "made")
    quantization = json.loads((folder / "config.json").read_text())["quantization"]
    assert quantization == {"group_size": 32, "bits": bits, "mode": mode}
    expected = dequantize(read_header(source).tensors["blk.0.ffn_up.weight"].read())
    got = dequantize(read_header(folder).tensors["model.layers.0.mlp.up_proj.weight"].read())
    exact = 0.0 if mode == "mxfp4" else 2.0**-10 * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=exact)


def test_matrices_of_several_types_are_told_apart_by_module() -> None:
    config = folder_of_gguf(model_path("smollm2"), matrix_type("", 0), False).config
    others = {key: value["bits"] for key, value in config["quantization"].items() if isinstance(value, dict)}
    assert (config["quantization"]["bits"], others) == (4, {"model.embed_tokens": 8})


def test_another_type_takes_a_word_where_the_source_is_quantized(tmp_path: Path) -> None:
    source = small_model(tmp_path / "a.gguf", layers=1, type=GGMLQuantizationType.Q8_0)
    with pytest.raises(UnsupportedModelError, match=r"is quantized already .* add --requantize"):
        folder_of_gguf(source, matrix_type("4bit", 0), False)
    folder = made(source, tmp_path / "made", "4bit", 64, requantize=True)
    quantization = json.loads((folder / "config.json").read_text())["quantization"]
    assert quantization == {"group_size": 64, "bits": 4, "mode": "affine"}
    plain = made(source, tmp_path / "plain", "bf16")
    assert read_header(plain).tensors["model.layers.0.mlp.up_proj.weight"].stored_as == "BF16"


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_a_tokenizer_makes_the_same_tokens_in_a_folder(model: str, tmp_path: Path) -> None:
    metadata = read_header(model_path(model)).parameters.values
    for name, text in tokenizer_files(metadata).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    theirs, ours = load_gguf(metadata), load_directory(tmp_path)
    assert ours.special == theirs.special
    page = (Path(__file__).parents[3] / "README.md").read_text()[:20000]
    texts = [
        "Hello  world\n\n\n\tx 12345",
        "éàü 日本語 🎉",
        "<start_of_turn>user\nhi<end_of_turn>",
        "<|im_start|>a",
        page,
    ]
    for text in texts:
        for special in (True, False):
            assert ours.encode(text, parse_special=special) == theirs.encode(text, parse_special=special)
    assert (tmp_path / "chat_template.jinja").is_file() == ("tokenizer.chat_template" in metadata)


def test_settings_that_a_folder_would_not_describe_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = read_header(small_model(tmp_path / "a.gguf", layers=1))
    assert config_of(header)["model_type"] == "llama"
    header.parameters.values["llama.rope.scaling.attn_factor"] = 1.5  # type: ignore[index]
    with pytest.raises(UnsupportedModelError, match=r"writes to no MLX folder yet \(magnitude\)"):
        config_of(header)
