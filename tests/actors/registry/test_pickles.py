"""Files that run code where they are unpickled are nothing that is ever unpickled."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

import mlxr
from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.models.errors import UnusableModelError
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.tokenizers import TokenizerError, load_directory
from tests.actors.registry.packages import safetensors


class Touch:
    """What creates ``path`` when its pickle is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


@pytest.fixture
def hostile(tmp_path: Path) -> bytes:
    data = pickle.dumps(Touch(tmp_path / "ran"))
    pickle.loads(data)
    assert (tmp_path / "ran").exists(), "the pickle is harmless"
    (tmp_path / "ran").unlink()
    return data


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "pytorch_model.bin", "model.pt", "model.gguf"])
def test_a_pickle_in_a_model_folder_is_no_model_and_does_not_run(tmp_path: Path, hostile: bytes, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if name == "config.json":
        (folder / "model.safetensors").write_bytes(safetensors())
    elif name != "model.safetensors":
        (folder / "tokenizer.pickle").write_bytes(hostile)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / name).write_bytes(hostile)
    for reads in (read_model_info, ModelFolder.open):
        with pytest.raises(UnusableModelError):
            reads(folder)
    if name == "model.gguf":
        with pytest.raises(UnusableModelError, match="is a pickle, which mlxr never reads"):
            read_model_info(folder / name)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_as_a_tokenizer_does_not_run(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(hostile)
    with pytest.raises(TokenizerError):
        load_directory(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_nothing_of_mlxr_unpickles() -> None:
    package = Path(mlxr.__file__).parent
    words = r"\bimport pickle\b|\bpickle\.|marshal\.loads|torch\.load|allow_pickle=True|\bshelve\b|\bjoblib\b"
    found = [f"{file}: {word}" for file in package.rglob("*.py") for word in re.findall(words, code(file))]
    assert not found


def code(file: Path) -> str:
    """The lines that import or call."""
    return "\n".join(line for line in file.read_text().splitlines() if "import " in line or "(" in line)
