from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.metal.reference.dequantize import dequantize
from mlxr.models.conversion import to_gguf
from mlxr.models.conversion.mlx_types import Quantization, matrix_type
from mlxr.models.conversion.to_mlx import folder_of, write_folder
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import read_header
from mlxr.models.loading import check_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import plan
from tests.models.architectures import checkpoints_kindred, checkpoints_states
from tests.models.architectures.checkpoints import config_of, safetensors, tensors_of
from tests.models.architectures.checkpoints import write_folder as write_checkpoint
from tests.models.conversion.test_to_gguf import FURTHER, logits_of


def made(tmp_path: Path, case: str, type: str, group: int = 32) -> Path:
    source, target = tmp_path / "source", tmp_path / "made"
    write_checkpoint(source, config_of(case))
    (source / "tokenizer_config.json").write_text("{}")
    write_folder(folder_of(source, matrix_type(type, group), False), target, lambda done, total: None)
    return target


def test_a_folder_is_quantized_as_mlx_does_it(tmp_path: Path) -> None:
    folder = made(tmp_path, "qwen3", "4bit")
    check_model(folder)
    arrays = mx.load(str(folder / "model.safetensors"))
    for name, values in tensors_of(config_of("qwen3")).items():
        if values.ndim < 2:
            np.testing.assert_array_equal(np.array(arrays[name]), values)
            continue
        codes, scales, biases = mx.quantize(mx.array(values), group_size=32, bits=4)
        stem = name.removesuffix(".weight")
        for part, theirs in ((name, codes), (f"{stem}.scales", scales), (f"{stem}.biases", biases)):
            assert mx.array_equal(arrays[part], theirs).item(), part
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization"] == config["quantization_config"] == {"group_size": 32, "bits": 4, "mode": "affine"}
    assert (folder / "tokenizer_config.json").is_file()


def test_experts_lie_together_and_what_chooses_them_is_exact(tmp_path: Path) -> None:
    folder = made(tmp_path, "qwen3_moe", "8bit")
    check_model(folder)
    tensors = read_header(folder).tensors
    assert tensors["model.layers.0.mlp.gate.weight"].stored_as == "F32"
    together = tensors["model.layers.0.mlp.switch_mlp.up_proj.weight"]
    experts = config_of("qwen3_moe")["num_experts"]
    rows = dequantize(together.read()).reshape(experts, -1, together.shape[-1])
    source = tensors_of(config_of("qwen3_moe"))
    for expert in range(experts):
        values = source[f"model.layers.0.mlp.experts.{expert}.up_proj.weight"]
        assert np.abs(rows[expert] - values).max() < 0.02 * np.abs(values).max()


def test_without_a_type_tensors_stay_as_they_are(tmp_path: Path) -> None:
    folder = made(tmp_path, "llama", "", 0)
    check_model(folder)
    assert "quantization" not in json.loads((folder / "config.json").read_text())
    assert {tensor.stored_as for tensor in read_header(folder).tensors.values()} == {"F32"}
    halves = made(tmp_path / "b", "llama", "bf16", 0)
    kinds = {name: tensor.stored_as for name, tensor in read_header(halves).tensors.items()}
    assert (kinds["model.norm.weight"], kinds["lm_head.weight"]) == ("F32", "BF16")


def test_a_quantized_folder_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    folder = made(tmp_path, "llama", "4bit")
    with pytest.raises(UnsupportedModelError, match=r"is quantized already .* --requantize"):
        folder_of(folder, matrix_type("8bit", 0), False)
    again = tmp_path / "again"
    write_folder(folder_of(folder, matrix_type("8bit", 32), True), again, lambda done, total: None)
    check_model(again)


def test_mxfp4_goes_into_a_gguf_file_as_it_is_and_affine_codes_become_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(writer: GGUFWriter, *arguments: object) -> None:
        writer.add_tokenizer_model("none")

    monkeypatch.setattr(to_gguf, "add_vocabulary", words)
    exact = to_gguf.model_of_folder(made(tmp_path / "a", "llama", "mxfp4", 0))
    assert exact.tensors["blk.0.ffn_up.weight"].type == "MXFP4"
    affine = to_gguf.model_of_folder(made(tmp_path / "b", "llama", "4bit"))
    assert affine.tensors["blk.0.ffn_up.weight"].type == "F16"
    with pytest.raises(UnsupportedModelError, match="is quantized already"):
        plan(affine, file_type("Q4_K_M"))
    assert plan(affine, file_type("Q4_K_M"), requantize=True).outputs


@pytest.mark.parametrize("name", ["4bit", "4", "q4", "4-bit", "4BITS"])
def test_bits_are_written_in_many_ways(name: str) -> None:
    assert matrix_type(name, 0).quantization == Quantization("affine", 64, 4)


@pytest.mark.parametrize(
    ("type", "group", "reason"),
    [
        ("7bit", 0, "choose from 2bit"),
        ("4bit", 48, "can't share a scale"),
        ("mxfp4", 64, "has 32 values a scale"),
        ("bf16", 32, "such as 4bit"),
    ],
)
def test_a_type_that_there_is_not_is_told_all(type: str, group: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        matrix_type(type, group)


def test_what_an_activation_has_of_its_own_is_kept(tmp_path: Path) -> None:
    checkpoints_kindred.write_folder(tmp_path / "folder", checkpoints_kindred.config_of("apertus"))
    write_folder(folder_of(tmp_path / "folder", matrix_type("", 0), False), tmp_path / "made", lambda done, total: None)
    given, kept = (mx.load(str(next((tmp_path / name).glob("*.safetensors")))) for name in ("folder", "made"))
    numbers = [name for name in given if "act_fn" in name]
    assert numbers
    assert all(np.array_equal(np.array(given[name]), np.array(kept[name])) for name in numbers)


def test_convolutions_of_queries_keys_and_values_are_shaped_as_mlx_does_it(tmp_path: Path) -> None:
    checkpoints_states.write_folder(tmp_path / "folder", checkpoints_states.config_of("kimi_linear"))
    write_folder(folder_of(tmp_path / "folder", matrix_type("", 0), False), tmp_path / "made", lambda done, total: None)
    arrays = mx.load(str(tmp_path / "made" / "model.safetensors"))
    shapes = [arrays[f"model.layers.0.self_attn.{name}_conv.conv.weight"].shape for name in "qkv"]
    assert all(taps > 1 and inner == 1 for _, taps, inner in shapes)


@pytest.mark.parametrize("inputs_first", [True, False])
def test_experts_of_folders_that_have_them_of_either_kind_are_written_outputs_first(
    inputs_first: bool, tmp_path: Path
) -> None:
    config = checkpoints_kindred.config_of("qwen3_vl_moe")
    folder = checkpoints_kindred.write_folder(tmp_path / "folder", config)
    if not inputs_first:
        tensors = checkpoints_kindred.tensors_of(config)
        own = {name: tensor for name, tensor in tensors.items() if ".experts." in name}
        tensors |= {name: np.ascontiguousarray(tensor.swapaxes(1, 2)) for name, tensor in own.items()}
        (folder / "model.safetensors").write_bytes(safetensors(tensors))
    write_folder(folder_of(folder, matrix_type("", 0), False), tmp_path / "made", lambda done, total: None)
    arrays = mx.load(str(tmp_path / "made" / "model.safetensors"))
    # By the names that mlx-lm asks for.
    experts = "language_model.model.layers.0.mlp.switch_mlp"
    shapes = {part: arrays[f"{experts}.{part}_proj.weight"].shape for part in ("gate", "up", "down")}
    assert shapes == {"gate": (8, 48, 64), "up": (8, 48, 64), "down": (8, 64, 48)}
    tokens = np.random.default_rng(3).integers(3, 90, 24).tolist()
    expected, got = (logits_of(tmp_path / which, tokens) for which in ("folder", "made"))
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


IN_MLX = [(module, case) for module, case in FURTHER if not case.startswith("falcon_h1")]
"""mlx-lm's versions differ in whether Falcon-H1's matrices hold its multipliers."""


@pytest.mark.parametrize(("family", "case"), IN_MLX, ids=[case for _, case in IN_MLX])
def test_an_mlx_folder_gives_the_logits_of_the_folder_it_is_made_of(
    family: ModuleType, case: str, tmp_path: Path
) -> None:
    family.write_folder(tmp_path / "folder", family.config_of(case))
    write_folder(folder_of(tmp_path / "folder", matrix_type("", 0), False), tmp_path / "made", lambda done, total: None)
    check_model(tmp_path / "made")
    tokens = np.random.default_rng(3).integers(3, 90, 24).tolist()
    expected, got = (logits_of(tmp_path / which, tokens) for which in ("folder", "made"))
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())
