from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFEndian, GGUFReader, GGUFValueType, GGUFWriter

from mlxr.metal.tensors import TensorType
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.pairs import Kind, Pair, model_pairs, read_pairs, replaced
from mlxr.models.formats.gguf.writer import Entry, header, size_of_file


def written(path: Path, endianess: GGUFEndian = GGUFEndian.LITTLE) -> Path:
    writer = GGUFWriter(path, "llama", endianess=endianess)
    writer.add_uint32("a.count", 7)
    writer.add_int8("a.small", -3)
    writer.add_float64("a.exact", 0.1)
    writer.add_bool("a.flag", True)
    writer.add_string("a.text", "naïve")
    writer.add_array("a.words", ["one", "", "três"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_array("a.flags", [True, False])
    writer.add_key_value("a.bytes", [1, 2], GGUFValueType.ARRAY, sub_type=GGUFValueType.UINT8)
    writer.add_tensor("t", np.arange(5, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_pairs_keep_their_types_and_bytes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf")
    pairs = read_pairs(path)
    data = np.arange(5, dtype="<f4").tobytes()
    entries = [Entry("t", TensorType.F32, (5,))]
    again = header(pairs, entries) + data + bytes(12)
    assert again == path.read_bytes()
    assert size_of_file(pairs, entries) == len(again)


def test_pairs_of_a_big_endian_file_are_turned_round(tmp_path: Path) -> None:
    big, little = written(tmp_path / "b.gguf", GGUFEndian.BIG), written(tmp_path / "l.gguf")
    assert read_pairs(big) == read_pairs(little)


def test_a_made_pair_is_read_as_it_was_meant(tmp_path: Path) -> None:
    pairs = [
        Pair.of("general.architecture", Kind.STRING, "llama"),
        Pair.of("x.ratio", Kind.F32, 0.5),
        Pair.of("x.flag", Kind.BOOL, True),
        Pair.array("x.words", Kind.STRING, ["a", b"\xff"]),
        Pair.array("x.scores", Kind.F32, [1.0, 2.0]),
        Pair.array("x.none", Kind.I32, []),
    ]
    path = tmp_path / "made.gguf"
    path.write_bytes(header(pairs, [Entry("t", TensorType.F32, (1,))]) + bytes(32))
    fields = GGUFReader(path).fields
    assert fields["x.ratio"].contents() == 0.5
    assert fields["x.flag"].contents() is True
    assert fields["x.scores"].contents() == [1.0, 2.0]
    metadata = GGUFFile.open(path).metadata
    assert [len(metadata[key]) for key in ("x.words", "x.none")] == [2, 0]


def test_what_replaces_a_pair_stands_at_the_end_and_parts_are_forgotten(tmp_path: Path) -> None:
    old = [Pair.of("a", Kind.U32, 1), Pair.of("b", Kind.U32, 2)]
    assert [pair.key for pair in replaced(old, Pair.of("a", Kind.U32, 3))] == ["b", "a"]
    writer = GGUFWriter(tmp_path / "m.gguf", "llama", split_max_tensors=1)
    for name in ("one", "two"):
        writer.add_tensor(name, np.zeros(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = GGUFFile.open(tmp_path / "m-00001-of-00002.gguf")
    assert [pair.key for pair in model_pairs(file)] == ["general.architecture"]
