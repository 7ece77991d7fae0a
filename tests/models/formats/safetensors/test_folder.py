"""Model folders: what a good one holds, and what is said of a bad one."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelError, ModelFileError, UnsupportedModelError
from mlxr.models.formats.safetensors.folder import ModelFolder, read_tensors
from mlxr.models.formats.safetensors.index import INDEX

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"w": VALUES, "half": VALUES.astype(np.float16), "ids": np.arange(4)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 3}')
    return tmp_path


def test_weights_of_all_files_come_out_and_whole_numbers_have_no_type(folder: Path) -> None:
    save_file({"v": VALUES[0]}, folder / "model-2.safetensors")
    opened = ModelFolder.open(folder)
    assert opened.config["hidden_size"] == 3
    assert {name: (t.type, t.shape) for name, t in opened.tensors.items()} == {
        "w": (TensorType.F32, (2, 3)),
        "half": (TensorType.F16, (2, 3)),
        "ids": (None, (4,)),
        "v": (TensorType.F32, (3,)),
    }
    assert np.array_equal(opened.tensors["w"].read().data.view("<f4"), VALUES)
    assert opened.tensors["w"].read().data.shape == (2, 12)
    with pytest.raises(UnsupportedModelError, match="'ids' as I64"):
        opened.tensors["ids"].read()


def test_a_tensor_in_two_files_is_refused(folder: Path) -> None:
    save_file({"w": VALUES}, folder / "model-2.safetensors")
    with pytest.raises(ModelFileError, match="tensor 'w', which another file"):
        ModelFolder.open(folder)


def test_an_index_says_which_files_are_the_model_s(folder: Path) -> None:
    save_file({"w": VALUES + 1}, folder / "consolidated.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"w": "model.safetensors", "half": "model.safetensors"}}))
    opened = ModelFolder.open(folder)
    assert np.array_equal(opened.tensors["w"].read().data.view("<f4"), VALUES)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ({}, "has no weight_map"),
        ({"weight_map": ["model.safetensors"]}, "has no weight_map"),
        ({"weight_map": {"w": 3}}, "has no weight_map"),
        ({"weight_map": {"w": ["model.safetensors"]}}, "has no weight_map"),
        ({"weight_map": {}}, "has no weight_map"),
        ({"weight_map": {"w": "model-2.safetensors"}}, "names the file 'model-2.safetensors'"),
        ({"weight_map": {"w": "../model.safetensors"}}, "which the folder does not have"),
        ({"weight_map": {"w": "x" * 5000}}, "which the folder does not have"),
    ],
)
def test_an_index_that_leads_nowhere_is_named(index: object, reason: str, folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match=rf"index\.json: .*{reason}"):
        ModelFolder.open(folder)


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelFileError, match=r"config\.json: is missing"):
        ModelFolder.open(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"has no \*\.safetensors file"):
        ModelFolder.open(folder)


def test_a_config_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")
    with pytest.raises(ModelFileError, match="is no JSON object"):
        ModelFolder.open(folder)


def written(path: Path, header: object, data: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "is truncated: tensor 'w'"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "puts tensor 'w' of 8 bytes into"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}, "two data_offsets in order"),
        ({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "holds nothing"),
        ({"dtype": "F32", "shape": [2]}, "malformed header"),
        ([], "malformed header"),
    ],
)
def test_a_malformed_entry_is_refused_with_the_reason(tmp_path: Path, entry: object, reason: str) -> None:
    with pytest.raises(ModelFileError, match=reason):
        read_tensors(written(tmp_path / "m.safetensors", {"w": entry}))


def test_files_too_short_for_their_header_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    for content, reason in ((b"", "is empty"), (b"abc", "ends within"), (struct.pack("<Q", 1 << 60), "claims 1152921")):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=reason):
            read_tensors(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_escapes_as_anything_but_a_model_error(folder: Path, data: st.DataObject) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = value
    target = folder / "fuzzed"
    target.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(ModelError):
        read_tensors(target)
