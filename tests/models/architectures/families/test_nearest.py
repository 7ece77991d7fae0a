"""A family that mlxr lacks is named together with the nearest that it has, from the header alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.tensors import TensorType
from mlxr.models.architectures.families import by_architecture
from mlxr.models.architectures.families.nearest import nearest
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints import config_of, write_folder
from tests.models.files import Sizes, write_model


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("qwen9", "qwen3"),
        ("qwen3_vl_moe", "qwen3_moe"),
        ("Qwen2.5-VL", "qwen2"),
        ("olmo4", "olmo2"),
        ("qwen35", "qwen3"),
        ("cohere3", "cohere"),
    ],
)
def test_the_longest_common_beginning_is_nearest_then_what_is_most_alike(wanted: str, found: str) -> None:
    assert nearest(wanted, ["qwen2", "qwen3", "qwen3_moe", "olmo2", "olmoe", "cohere", "seed_oss"]) == found


def test_of_no_families_none_is_nearest() -> None:
    assert nearest("llama", []) == ""


def test_a_gguf_file_of_another_family_names_the_nearest(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    path.write_bytes(path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0qwen9"))
    with pytest.raises(UnsupportedModelError, match=r"architecture 'qwen9'.* nearest .*'qwen\d?\w*'"):
        check_model(path)


def test_a_folder_of_another_family_names_the_nearest_before_a_weight_is_read(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", config_of("llama"))
    (path / "config.json").write_text(json.dumps({**config_of("llama"), "model_type": "olmo9"}))
    with pytest.raises(UnsupportedModelError, match=r"architecture 'olmo9'.* nearest .*'olmo\d?'"):
        load_model(path, cast("Backend", None))


def test_a_family_of_another_format_is_said_to_run_from_it(tmp_path: Path) -> None:
    folders = by_architecture(Format.HUGGING_FACE)
    other = next(name for name in by_architecture(Format.GGUF) if name not in folders)
    path = write_folder(tmp_path / "model", config_of("llama"))
    (path / "config.json").write_text(json.dumps({**config_of("llama"), "model_type": other}))
    with pytest.raises(UnsupportedModelError, match=f"architecture '{other}', which mlxr runs from gguf"):
        check_model(path)
