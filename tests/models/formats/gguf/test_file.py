"""Reading GGUF files: what a good one holds, and what is said of a bad one."""

from __future__ import annotations

import struct
import tracemalloc
from array import array
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelError, ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.models.formats.gguf.cursor import Strings
from mlxr.models.formats.gguf.file import GGUFFile
from tests.models import model_path
from tests.models.files import write_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("gguf") / "small.gguf")


def damaged(source: Path, folder: Path, edit: bytes, at: int) -> Path:
    data = bytearray(source.read_bytes())
    data[at : at + len(edit)] = edit
    target = folder / "damaged.gguf"
    target.write_bytes(data)
    return target


def record_of(path: Path, tensor: str) -> int:
    """Where the tensor's record has its dimension count."""
    name = tensor.encode()
    return path.read_bytes().index(struct.pack("<Q", len(name)) + name) + 8 + len(name)


@pytest.mark.parametrize(
    ("tensors", "says"), [(0, "a vocabulary at most, and no tensors"), (1, "holds a header alone")]
)
def test_a_file_without_any_tensors_data_is_told_from_one_cut_short(tmp_path: Path, tensors: int, says: str) -> None:
    path = tmp_path / "x.gguf"
    header = b"GGUF" + struct.pack("<IQQ", 3, tensors, 0)
    record = struct.pack("<Q", 1) + b"a" + struct.pack("<IQIQ", 1, 32, 0, 0)
    path.write_bytes(header + record * tensors if tensors else header + bytes(32))
    with pytest.raises(UnusableModelError, match=says):
        GGUFFile.open(path)


@pytest.mark.parametrize("version", [2, 3])
def test_metadata_comes_out_with_its_types(small: Path, tmp_path: Path, version: int) -> None:
    file = GGUFFile.open(damaged(small, tmp_path, struct.pack("<I", version), 4))
    assert file.version == version
    metadata = file.metadata
    assert metadata["general.architecture"] == "llama"
    assert metadata["a.count"] == 7
    assert metadata["a.ratio"] == 0.5
    assert metadata["a.flag"] is True
    assert metadata["a.text"] == "naïve"
    assert metadata["a.words"] == ["one", "two", "três"]
    assert metadata["a.numbers"].tolist() == [1, -2, 3]


def test_tensors_come_out_with_the_outermost_dimension_first(small: Path) -> None:
    tensors = GGUFFile.open(small).tensors
    assert {name: (t.type, t.shape) for name, t in tensors.items()} == {
        "vector": (TensorType.F32, (5,)),
        "matrix": (TensorType.F16, (3, 4)),
        "blocks": (TensorType.Q4_K, (2, 512)),
    }
    assert tensors["matrix"].read().data.view("<f2").tolist() == np.arange(12.0).reshape(3, 4).tolist()


def test_a_real_file_reads_as_the_gguf_package_reads_it() -> None:
    path = model_path("smollm2")
    ours, theirs = GGUFFile.open(path), GGUFReader(path)
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            expected = field.contents()
            ours_as_list = ours.metadata[key]
            assert (ours_as_list.tolist() if isinstance(ours_as_list, np.ndarray) else ours_as_list) == expected, key
    assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        mine = ours.tensors[tensor.name]
        assert mine.type == tensor.tensor_type.name
        assert mine.shape == tuple(int(n) for n in tensor.shape[::-1])
        assert np.array_equal(mine.read().data.reshape(-1), tensor.data.view(np.uint8).reshape(-1))


def test_a_cut_file_is_named_with_the_byte_where_it_ends(small: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(small.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"cut\.gguf: .*\(at byte \d+\)"):
        GGUFFile.open(cut)


def test_a_file_without_its_last_bytes_names_the_tensor_that_is_cut(small: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(small.read_bytes()[:-64])
    with pytest.raises(ModelFileError, match="truncated: tensor 'blocks' needs bytes"):
        GGUFFile.open(cut)


@pytest.mark.parametrize(
    ("edit", "at", "reason"),
    [
        (b"GGML", 0, "not a GGUF file"),
        (struct.pack(">I", 3), 4, "claims 216172782113783808 entries of 'tensors'"),
        (struct.pack("<I", 1), 4, "version 1"),
        (struct.pack("<Q", 1 << 60), 8, "claims 1152921504606846976 entries of 'tensors'"),
        (struct.pack("<Q", 1 << 60), 16, "claims 1152921504606846976 entries of 'metadata'"),
        (struct.pack("<Q", 1 << 62), 24, "ends within metadata key"),
    ],
)
def test_a_damaged_header_is_refused_with_the_reason(
    small: Path, tmp_path: Path, edit: bytes, at: int, reason: str
) -> None:
    with pytest.raises(ModelFileError, match=reason):
        GGUFFile.open(damaged(small, tmp_path, edit, at))


@pytest.mark.parametrize(
    ("edit", "at", "reason"),
    [
        (struct.pack("<I", 9), 0, "9 dimensions"),
        (struct.pack("<Q", 1 << 40), 4, "truncated: tensor 'matrix'"),
        (struct.pack("<Q", 0), 4, "holds nothing"),
        (struct.pack("<I", 777), 20, "unknown type 777"),
        (struct.pack("<I", 12), 20, "Q4_K stores 256 values a block"),
        (struct.pack("<Q", 33), 24, "no multiple of 32"),
        (struct.pack("<Q", 1 << 50), 24, "truncated: tensor 'matrix'"),
    ],
)
def test_a_damaged_tensor_record_is_refused_with_the_reason(
    small: Path, tmp_path: Path, edit: bytes, at: int, reason: str
) -> None:
    with pytest.raises(ModelFileError, match=reason) as caught:
        GGUFFile.open(damaged(small, tmp_path, edit, record_of(small, "matrix") + at))
    assert caught.value.offset is not None


def test_a_tensor_type_that_mlxr_lacks_is_named(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="stores tensor 'matrix' as I8"):
        GGUFFile.open(damaged(small, tmp_path, struct.pack("<I", 24), record_of(small, "matrix") + 20))


def test_a_name_used_twice_is_refused(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    with pytest.raises(ModelFileError, match="tensor 'vector' twice"):
        GGUFFile.open(damaged(small, tmp_path, b"vector", data.index(b"matrix")))
    with pytest.raises(ModelFileError, match=r"key 'a\.count' twice"):
        GGUFFile.open(damaged(small, tmp_path, b"a.count", data.index(b"a.ratio")))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.gguf"
    empty.touch()
    with pytest.raises(ModelFileError, match="is empty"):
        GGUFFile.open(empty)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_escapes_as_anything_but_a_model_error(small: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(small.read_bytes())
    header = len(content) - 700
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, header), st.integers(0, 255)), max_size=4)):
        content[at] = value
    wide = st.tuples(st.integers(0, header), st.sampled_from([0, 1, 1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1]))
    for at, count in data.draw(st.lists(wide, max_size=1)):
        content[at : at + 8] = struct.pack("<Q", count)
    target = tmp_path / "fuzzed.gguf"
    target.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    tracemalloc.start()
    with suppress(ModelError):
        GGUFFile.open(target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_strings_are_read_when_they_are_asked_for() -> None:
    texts = ["a", "", "é▁", "\udcff"]
    raw = [text.encode("utf-8", "surrogateescape") for text in texts]
    data, ends = b"", array("Q", [0])
    for text in raw:
        data += len(text).to_bytes(8, "little") + text
        ends.append(len(data))
    strings = Strings(data, ends)
    assert list(strings) == texts == strings
    assert list(strings.raw()) == raw
    assert (strings[0], strings[-1], strings[1:3]) == ("a", "\udcff", ["", "é▁"])
    assert "é▁" in strings
    with pytest.raises(IndexError):
        strings[4]
