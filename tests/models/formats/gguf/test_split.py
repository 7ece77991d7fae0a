"""Models in several files: any of them, or their folder, means the whole; what is missing is named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.models.errors import ModelError, ModelFileError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import first_file, holds_gguf, part_files
from mlxr.models.identity import identity
from tests.models.files import finish

TENSORS = {f"t{number}": np.arange(8, dtype=np.float32) + number for number in range(5)}
NAMES = [f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


def write_split(folder: Path, small_first: bool = False) -> Path:
    """Three files; ``small_first``: the first of them has no tensor."""
    folder.mkdir(exist_ok=True)
    most = 3 if small_first else 2
    writer = GGUFWriter(folder / "m.gguf", "llama", split_max_tensors=most, small_first_shard=small_first)
    writer.add_string("a.text", "told once")
    for name, values in TENSORS.items():
        writer.add_tensor(name, values)
    finish(writer, folder / "m.gguf")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_split(tmp_path / "split")


@pytest.mark.parametrize("small_first", [False, True])
@pytest.mark.parametrize("name", ["", *NAMES])
def test_any_part_or_the_folder_means_all_of_the_model(name: str, small_first: bool, tmp_path: Path) -> None:
    folder = write_split(tmp_path / "split", small_first)
    file = GGUFFile.open(folder / name if name else folder)
    assert file.metadata["a.text"] == "told once"
    assert {n: tensor.read().data.view("<f4")[0].tolist() for n, tensor in file.tensors.items()} == {
        n: values.tolist() for n, values in TENSORS.items()
    }


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_missing_part_is_named(missing: int, named: int, folder: Path) -> None:
    (folder / NAMES[missing]).unlink()
    if missing == named:
        with pytest.raises(ModelError, match=NAMES[named]):
            GGUFFile.open(folder / NAMES[named])
    else:
        reason = rf"part {missing + 1}, '{NAMES[missing]}', is missing; put it into the same folder"
        with pytest.raises(ModelFileError, match=reason):
            GGUFFile.open(folder / NAMES[named])


def test_a_part_by_another_name_says_how_its_siblings_are_found(folder: Path) -> None:
    (folder / NAMES[0]).rename(folder / "model.gguf")
    with pytest.raises(ModelFileError, match=r"says that it is part 1 of 3, and has another name; .*own name back"):
        GGUFFile.open(folder / "model.gguf")


def test_a_part_in_another_s_place_is_named(folder: Path) -> None:
    (folder / NAMES[2]).write_bytes((folder / NAMES[1]).read_bytes())
    with pytest.raises(ModelFileError, match=r"00003-of-00003\.gguf: says that it is part 2 of 3, and its name"):
        GGUFFile.open(folder)


def test_tensors_that_no_part_has_are_noticed(folder: Path) -> None:
    content = bytearray((folder / NAMES[0]).read_bytes())
    at = content.index(b"split.tensors.count") + len("split.tensors.count") + 4
    content[at : at + 4] = struct.pack("<i", 9)
    (folder / NAMES[0]).write_bytes(content)
    with pytest.raises(ModelFileError, match="says that all parts hold 9 tensors, and they hold 5"):
        GGUFFile.open(folder)


def test_a_cut_part_is_named(folder: Path) -> None:
    (folder / NAMES[1]).write_bytes((folder / NAMES[1]).read_bytes()[:-40])
    with pytest.raises(ModelFileError, match=r"00002-of-00003\.gguf: is truncated: tensor 't2'"):
        GGUFFile.open(folder / NAMES[0])


def test_a_folder_of_several_models_asks_for_one(folder: Path) -> None:
    (folder / "other.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelFileError, match=r"holds 2 models \('m-0000.-of-00003\.gguf', 'other\.gguf'\); give"):
        GGUFFile.open(folder)


def test_a_folder_with_one_file_means_that_file(tmp_path: Path) -> None:
    (tmp_path / "only.gguf").write_bytes(b"GGUF")
    assert first_file(tmp_path) == tmp_path / "only.gguf"
    assert holds_gguf(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert not holds_gguf(tmp_path)


def test_part_files_follow_from_any_name(tmp_path: Path) -> None:
    for name in NAMES:
        assert [file.name for file in part_files(tmp_path / name)] == NAMES
    assert part_files(tmp_path / "m-1-of-3.gguf") == [tmp_path / "m-1-of-3.gguf"]


@pytest.mark.parametrize("changed", NAMES)
def test_a_change_of_any_part_is_a_change_of_the_model(changed: str, folder: Path) -> None:
    before = identity(folder / NAMES[0])
    with (folder / changed).open("ab") as file:
        file.write(b"x")
    assert identity(folder / NAMES[0]) != before
