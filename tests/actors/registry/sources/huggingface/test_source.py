from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from huggingface_hub import constants

from mlxr.actors.registry.catalogue.files import DigestMismatch, hash_folder
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, safetensors, tiny_bert, tiny_gguf, unheard
from tests.actors.registry.sources.huggingface.fake_hub import COMMIT, FakeHub, sha256
from tests.actors.registry.sources.web import HASTY, only, status


@pytest.fixture
def quantized(hub: FakeHub, model: bytes, tmp_path: Path) -> dict[str, bytes]:
    """The repository ``Org/Tiny-GGUF`` of two quantizations."""
    other = tiny_gguf(tmp_path / "other.gguf", "other")
    files = {"README.md": b"# x", "Tiny-Q4_K_M.gguf": model, "Tiny-Q8_0.gguf": other}
    hub.add("Org/Tiny-GGUF", files)
    return files


@pytest.mark.parametrize("typed", ["hf.co/Org/Tiny-GGUF", "Org/Tiny-GGUF", "hf:Org/Tiny-GGUF:q4_k_m"])
async def test_a_model_of_the_hub_is_pulled_by_any_of_its_names(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], typed: str
) -> None:
    heard = list[Progress]()
    entry = await pull_model(home, typed, heard.append, limits=HASTY)
    digest = sha256(quantized["Tiny-Q4_K_M.gguf"])
    assert (entry.name, entry.blob.digest) == ("hf.co/Org/Tiny-GGUF:Q4_K_M", digest)
    assert entry.source == f"hf.co/Org/Tiny-GGUF@{COMMIT}:Tiny-Q4_K_M.gguf"
    assert [progress for progress in heard if progress.total][-1] == Progress(
        f"pulling {digest[:12]}", f"sha256:{digest}", entry.blob.size, entry.blob.size
    )
    store = await Store.open(home)
    for name in (
        "hf.co/org/tiny-gguf",
        "org/tiny-gguf:Q4_K_M",
        "https://huggingface.co/Org/Tiny-GGUF",
        "hf:org/tiny-gguf",
    ):
        assert await store.find(name) == entry
    await store.close()
    assert files_under(home.models) == [f"blobs/sha256-{digest}"]


async def test_another_quantization_is_a_model_of_its_own(
    hub: FakeHub, home: Home, quantized: dict[str, bytes]
) -> None:
    await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    entry = await pull_model(home, "hf.co/Org/Tiny-GGUF:q8_0", unheard, limits=HASTY)
    assert (entry.name, entry.aliases[-1:]) == ("hf.co/Org/Tiny-GGUF:Q8_0", ["Org/Tiny-GGUF:Q8_0"])
    store = await Store.open(home)
    assert [found.name for found in await store.models()] == ["hf.co/Org/Tiny-GGUF:Q8_0", "hf.co/Org/Tiny-GGUF:Q4_K_M"]
    found = await store.find("Org/Tiny-GGUF")
    assert found is not None
    assert found.name == "hf.co/Org/Tiny-GGUF:Q4_K_M"
    await store.close()


async def test_what_was_pulled_without_its_quantization_is_the_same_model_with_it(
    hub: FakeHub, home: Home, quantized: dict[str, bytes]
) -> None:
    first = await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    again = await pull_model(home, "hf.co/Org/Tiny-GGUF:Q4_K_M", unheard, limits=HASTY)
    assert (again.name, again.source) == (first.name, first.source)
    store = await Store.open(home)
    assert [found.name for found in await store.models()] == [first.name]
    await store.close()


async def test_what_is_here_at_its_commit_is_not_fetched_again(
    hub: FakeHub, home: Home, quantized: dict[str, bytes]
) -> None:
    await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    sent = hub.cdn.sent
    await pull_model(home, "hf.co/Org/Tiny-GGUF:Q4_K_M", unheard, limits=HASTY)
    assert hub.cdn.sent == sent


async def test_a_repository_that_moved_on_is_pulled_anew(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], tmp_path: Path
) -> None:
    before = await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    repo = hub.repos["Org/Tiny-GGUF"]
    repo.files["Tiny-Q4_K_M.gguf"] = newer = tiny_gguf(tmp_path / "newer.gguf", "newer")
    repo.revisions["main"] = "d" * 40
    entry = await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert (entry.name, entry.blob.digest) == (before.name, sha256(newer))
    assert files_under(home.models) == [f"blobs/sha256-{sha256(newer)}"]


async def test_a_revision_is_a_model_of_its_own(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    hub.repos["Org/Tiny-GGUF"].revisions["v1.0"] = "e" * 40
    entry = await pull_model(home, "hf.co/Org/Tiny-GGUF@v1.0", unheard, limits=HASTY)
    assert entry.name == "hf.co/Org/Tiny-GGUF:Q4_K_M-v1.0"
    assert "hf.co/Org/Tiny-GGUF@v1.0" in entry.aliases
    with pytest.raises(ModelNotFound, match=r"hf\.co/Org/Tiny-GGUF has no revision 'v9'; leave it away"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF@v9", unheard, limits=HASTY)


async def test_a_split_model_is_one_folder(hub: FakeHub, home: Home, tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    tiny_gguf(tmp_path / "split" / "Big-Q4_K_M.gguf", split=4)
    files = {f"Q4_K_M/{path.name}": path.read_bytes() for path in (tmp_path / "split").glob("*.gguf")}
    hub.add("Org/Big", files)
    entry = await pull_model(home, "hf.co/Org/Big:Q4_K_M", unheard, limits=HASTY)
    assert [f"Q4_K_M/{name}" for name in files_under(entry.blob.path)] == sorted(files)
    assert entry.blob.digest == hash_folder(entry.blob.path)


async def test_a_folder_of_safetensors_is_pulled_whole_and_nothing_else(hub: FakeHub, home: Home) -> None:
    files = tiny_bert()
    hub.add(
        "Org/Bert", {**files, "pytorch_model.bin": b"PK", "onnx/model.onnx": b"x", "train.py": b"x", "README.md": b"x"}
    )
    entry = await pull_model(home, "hf.co/Org/Bert", unheard, limits=HASTY)
    assert entry.name == "hf.co/Org/Bert"
    assert files_under(entry.blob.path) == sorted(files)
    assert entry.blob.digest == hash_folder(entry.blob.path)
    assert entry.blob.info.license == "apache-2.0"
    assert not any(path.endswith((".bin", ".onnx", ".py")) for path, _ in hub.asked)


async def test_of_several_sets_of_weights_the_indexed_one_is_pulled(hub: FakeHub, home: Home) -> None:
    files = tiny_bert()
    weights = files.pop("model.safetensors")
    index = {"weight_map": {"embeddings.LayerNorm.bias": "model-00001-of-00001.safetensors"}}
    files |= {"model-00001-of-00001.safetensors": weights, "model.safetensors.index.json": json.dumps(index).encode()}
    hub.add("Org/Bert", {**files, "consolidated.safetensors": safetensors(), "other.safetensors": safetensors()})
    entry = await pull_model(home, "hf.co/Org/Bert", unheard, limits=HASTY)
    assert files_under(entry.blob.path) == sorted(files)


async def test_a_damaged_index_is_named(hub: FakeHub, home: Home) -> None:
    hub.add("Org/Bert", {**tiny_bert(), "model.safetensors.index.json": b"{"})
    with pytest.raises(PullError, match=r"model\.safetensors\.index\.json of Org/Bert is damaged"):
        await pull_model(home, "hf.co/Org/Bert", unheard, limits=HASTY)


async def test_the_cdn_does_not_hear_who_asks(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["Org/Tiny-GGUF"].private = True
    hub.repos["Org/Tiny-GGUF"].members = hub.tokens = {"hf_secret"}
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert {token for _, token in hub.asked} == {"hf_secret"}
    assert hub.cdn.headers
    assert not any("secret" in str(headers) for headers in hub.cdn.headers)


async def test_a_stored_token_is_used_as_the_hubs_tools_do(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], tmp_path: Path
) -> None:
    hub.repos["Org/Tiny-GGUF"].gated = True
    hub.repos["Org/Tiny-GGUF"].members = hub.tokens = {"hf_stored"}
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_stored\n")
    await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_a_gated_repository_is_named_with_the_way_in(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["Org/Tiny-GGUF"].gated = True
    with pytest.raises(
        PullError,
        match=r"hf\.co/Org/Tiny-GGUF is gated, and is for who has agreed to its terms: open "
        r"https://huggingface\.co/Org/Tiny-GGUF and ask for access, then log in here with `hf auth login` or set HF_TO",
    ):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    hub.tokens = {"hf_known"}
    monkeypatch.setenv("HF_TOKEN", "hf_known")
    with pytest.raises(PullError, match=r"is gated, and waits for its owner's consent: open .* and ask for access$"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert files_under(home.models) == []
    assert hub.cdn.sent == 0


async def test_a_repository_that_is_not_there_or_private_is_named(
    hub: FakeHub, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotFound, match="the Hugging Face Hub has no repository 'org/none'; look at its spelling"):
        await pull_model(home, "hf.co/org/none", unheard, limits=HASTY)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PullError, match="does not know the token that you are logged in with; run `hf auth login`"):
        await pull_model(home, "hf.co/org/none", unheard, limits=HASTY)


async def test_a_disabled_repository_is_named(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    hub.repos["Org/Tiny-GGUF"].disabled = True
    with pytest.raises(PullError, match=r"the Hugging Face Hub has disabled hf\.co/Org/Tiny-GGUF"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_a_renamed_repository_goes_by_its_new_name(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    hub.renamed["Old/Tiny"] = "Org/Tiny-GGUF"
    entry = await pull_model(home, "hf.co/Old/Tiny", unheard, limits=HASTY)
    assert entry.name == "hf.co/Org/Tiny-GGUF:Q4_K_M"
    assert "hf.co/Old/Tiny" in entry.aliases


async def test_pickles_are_refused_before_a_byte_is_fetched(hub: FakeHub, home: Home) -> None:
    hub.add("Org/Old", {"config.json": b"{}", "pytorch_model.bin": b"PK\x03\x04"})
    with pytest.raises(PullError, match=r"Org/Old has no model that mlxr reads: pytorch_model\.bin is a pickle"):
        await pull_model(home, "hf.co/Org/Old", unheard, limits=HASTY)
    assert [path for path, _ in hub.asked if "resolve" in path] == []


async def test_a_file_that_is_none_of_gguf_is_refused_by_its_first_bytes(hub: FakeHub, home: Home) -> None:
    hub.add("Org/Odd", {"x-Q4_0.gguf": b"version https://git-lfs" + bytes(1_000_000)})
    with pytest.raises(PullError, match=r"x-Q4_0\.gguf of hf\.co/Org/Odd is no GGUF file: it begins with b'vers'"):
        await pull_model(home, "hf.co/Org/Odd", unheard, limits=HASTY)
    assert hub.cdn.sent < 100_000


async def test_wrong_bytes_of_the_cdn_are_refused(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    content = quantized["Tiny-Q4_K_M.gguf"]

    async def damaged(request: web.Request, number: int) -> web.StreamResponse | None:
        return await hub.cdn.send(request, content[:-1] + b"x")

    hub.cdn.fault = damaged
    with pytest.raises(DigestMismatch, match=r"Tiny-Q4_K_M\.gguf came with SHA-256"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert files_under(home.models) == []


async def test_wrong_bytes_of_a_small_file_are_refused(hub: FakeHub, home: Home) -> None:
    files = tiny_bert()
    repo = hub.add("Org/Bert", files)

    async def damaged(request: web.Request, number: int) -> web.StreamResponse | None:
        if request.path.endswith("resolve/" + COMMIT + "/config.json"):
            return web.Response(body=files["config.json"].replace(b"4", b"5"))
        return None

    hub.fault = damaged
    with pytest.raises(DigestMismatch, match=r"config\.json came with git's SHA-1"):
        await pull_model(home, "hf.co/Org/Bert", unheard, limits=HASTY)
    assert repo.files == files


async def test_trouble_at_the_hub_is_waited_out(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    hub.fault = only({0, 3}, status(429, RateLimit='"api";r=0;t=0'))
    hub.cdn.fault = only({0, 1}, status(503))
    await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_a_hub_that_stays_in_trouble_is_named(hub: FakeHub, home: Home, quantized: dict[str, bytes]) -> None:
    await pull_model(home, "hf.co/Org/Tiny-GGUF:Q8_0", unheard, limits=HASTY)
    hub.fault = status(500)
    host = re.escape(hub.url.partition("//")[2])
    where = r"can't fetch the list of files of hf\.co/Org/Tiny-GGUF"
    with pytest.raises(PullError, match=rf"{where}: {host} answers 500") as raised:
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert "did you mean" not in str(raised.value)
    hub.fault = status(429, Retry_After="3600")
    with pytest.raises(PullError, match=rf"{host} answers 429; pull again in 3600 s"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_what_is_no_hub_is_named(hub: FakeHub, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(request: web.Request, number: int) -> web.StreamResponse | None:
        return web.Response(text="<html>", content_type="text/html")

    hub.fault = page
    with pytest.raises(PullError, match="answers with something else than a list of files; see what HF_ENDPOINT names"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(PullError, match=r"can't reach 127\.0\.0\.1:1"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_a_file_of_the_hubs_cache_is_not_fetched_again(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], tmp_path: Path
) -> None:
    fill_cache(tmp_path, "Org/Tiny-GGUF", {"Tiny-Q4_K_M.gguf": quantized["Tiny-Q4_K_M.gguf"]})
    entry = await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert entry.blob.path.read_bytes() == quantized["Tiny-Q4_K_M.gguf"]
    assert hub.cdn.sent == 0


async def test_offline_the_cache_alone_is_asked(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PullError, match=r"can't fetch hf\.co/Org/Tiny-GGUF: HF_HUB_OFFLINE is set and the Hub's cache"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    fill_cache(tmp_path, "Org/Tiny-GGUF", {"Tiny-Q8_0.gguf": quantized["Tiny-Q8_0.gguf"]})
    entry = await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)
    assert entry.name == "hf.co/Org/Tiny-GGUF:Q8_0"
    assert hub.asked == []


async def test_a_damaged_copy_in_the_cache_is_named(
    hub: FakeHub, home: Home, quantized: dict[str, bytes], tmp_path: Path
) -> None:
    good = quantized["Tiny-Q4_K_M.gguf"]
    fill_cache(tmp_path, "Org/Tiny-GGUF", {"Tiny-Q4_K_M.gguf": good}, content=good[:-1] + b"x")
    with pytest.raises(DigestMismatch, match=r"if it was damaged in the Hub's cache, remove .*Tiny-Q4_K_M\.gguf"):
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)


async def test_two_pulls_of_one_model_at_once_fetch_it_once(
    hub: FakeHub, home: Home, quantized: dict[str, bytes]
) -> None:
    async def pull() -> None:
        await pull_model(home, "hf.co/Org/Tiny-GGUF", unheard, limits=HASTY)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pull)
        tasks.start_soon(pull)
    assert hub.cdn.sent == len(quantized["Tiny-Q4_K_M.gguf"]) + 4


async def test_files_can_be_looked_into_without_being_fetched(hub: FakeHub, quantized: dict[str, bytes]) -> None:
    async with find_source("hf.co/Org/Tiny-GGUF:Q8_0").remote(HASTY) as remote:
        assert remote is not None
        (file,) = remote.files
        assert (file.name, file.size) == ("Tiny-Q8_0.gguf", len(quantized["Tiny-Q8_0.gguf"]))
        assert await file.read(0, 4) == b"GGUF"
    assert hub.cdn.sent == 4


def fill_cache(tmp_path: Path, repo: str, files: dict[str, bytes], content: bytes | None = None) -> None:
    """The Hub's cache as its tools leave it: blobs by digest, and links to them by name."""
    folder = tmp_path / "hf" / "hub" / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for path in (folder / "refs", folder / "blobs", snapshot):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for name, given in files.items():
        blob = folder / "blobs" / hashlib.sha256(given).hexdigest()
        blob.write_bytes(given if content is None else content)
        os.symlink(f"../../blobs/{blob.name}", snapshot / name)
