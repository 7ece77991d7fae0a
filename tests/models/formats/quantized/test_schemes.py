"""Where the settings of a quantized folder stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.models.errors import UnsupportedModelError
from mlxr.models.formats.safetensors.folder import ModelFolder
from tests.models.architectures.checkpoints import config_of, write_folder
from tests.models.formats.quantized.writers import SCHEMES, quantized_folder

CONFIG = {**config_of("qwen3"), "intermediate_size": 64, "num_hidden_layers": 1}
NAME = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return quantized_folder(write_folder(tmp_path / "plain", CONFIG), tmp_path / "quantized", SCHEMES[request.param])


@pytest.mark.parametrize(
    ("folder", "file", "settings"),
    [
        ("GPTQ", "quantize_config.json", {"bits": 4, "group_size": 32, "desc_act": False}),
        ("AWQ", "quant_config.json", {"w_bit": 4, "q_group_size": 32, "zero_point": True, "version": "GEMM"}),
        ("FP8 per tensor", "hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}}),
    ],
    indirect=["folder"],
)
def test_older_packages_have_them_in_files_of_their_own(folder: Path, file: str, settings: dict[str, object]) -> None:
    before = ModelFolder.open(folder).tensors[NAME].read()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / file).write_text(json.dumps(settings))
    after = ModelFolder.open(folder).tensors[NAME].read()
    assert (after.type, after.data.tobytes()) == (before.type, before.data.tobytes())


@pytest.mark.parametrize("folder", ["AWQ"], indirect=True)
def test_a_model_that_looks_at_images_has_them_within_those_of_its_language_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    outer = {"model_type": "gemma3", "text_config": config}
    (folder / "config.json").write_text(json.dumps(outer))
    assert ModelFolder.open(folder).tensors[NAME].stored_as == "AWQ 4-bit"


@pytest.mark.parametrize("folder", ["GPTQ"], indirect=True)
def test_rules_of_gptqmodel_give_modules_bits_of_their_own(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] |= {"bits": 8, "dynamic": {r"-:.*lm_head": {}, r"+:model\..*": {"bits": 4}}}
    (folder / "config.json").write_text(json.dumps(config))
    assert ModelFolder.open(folder).tensors[NAME].stored_as == "GPTQ 4-bit"


@pytest.mark.parametrize("folder", ["AutoRound"], indirect=True)
def test_auto_round_names_modules_with_bits_of_their_own(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    own = {r".*\.mlp\..*": {"bits": 4}, NAME.removesuffix(".weight"): {"bits": 4, "group_size": 32}}
    config["quantization_config"] |= {"bits": 8, "extra_config": {**own, r".*self_attn.*": {"bits": 4, "sym": True}}}
    (folder / "config.json").write_text(json.dumps(config))
    assert ModelFolder.open(folder).tensors[NAME].stored_as == "GPTQ 4-bit"


@pytest.mark.parametrize("folder", ["AutoRound"], indirect=True)
@pytest.mark.parametrize("change", [{"packing_format": "auto_round:llm_compressor"}, {"data_type": "mx_fp"}])
def test_what_auto_round_packs_otherwise_is_named(folder: Path, change: dict[str, str]) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match=f"{next(iter(change.values()))}.*auto_round:auto_gptq"):
        ModelFolder.open(folder)
