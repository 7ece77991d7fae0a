from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.create import Creator
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.rebuild import model_files
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.staged_files import StagedFiles
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.catalogue.uploads import BlobWriter
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.staging import sweep
from mlxr.models.errors import ModelFileError
from mlxr.models.identity import identity
from mlxr.runtime.errors import RequestError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf, unheard
from tests.models import model_path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    store = await Store.open(home)
    yield store
    await store.close()


@pytest.fixture
def creator(home: Home, store: Store) -> Creator:
    resolver = Resolver(store, MetadataReader())

    async def obtain(name: str, report: Report) -> CatalogueEntry:
        return await resolver.find(name)

    return Creator(home, store, obtain, MetadataReader())


def upload(home: Home, content: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    with BlobWriter(home, digest) as blob:
        blob.write(content)
        blob.commit()
    return digest


async def create(creator: Creator, name: str, **spec: object) -> CatalogueEntry:
    return await creator.create(name, msgspec.json.encode(spec), unheard)


async def test_an_uploaded_gguf_becomes_a_model(creator: Creator, home: Home, tmp_path: Path) -> None:
    content = tiny_gguf(tmp_path / "x.gguf")
    entry = await create(creator, "New:v1", files={"x.gguf": upload(home, content)}, license=["a", "b"])
    assert (entry.name, entry.blob.path.read_bytes()) == ("New:v1", content)
    assert entry.info.license == "a\nb"


async def test_an_uploaded_file_becomes_a_models_once_though_two_are_made_of_it(
    creator: Creator, home: Home, tmp_path: Path
) -> None:
    digest = upload(home, tiny_gguf(tmp_path / "x.gguf"))
    for name in ("one", "two"):
        await create(creator, name, files={"x.gguf": digest})
    assert files_under(home.models) == [f"blobs/{digest.replace(':', '-')}"]
    assert upload(home, (tmp_path / "x.gguf").read_bytes()) == digest
    assert files_under(home.models) == [f"blobs/{digest.replace(':', '-')}"]


async def test_uploaded_files_of_a_folder_become_a_model(creator: Creator, home: Home) -> None:
    config = tiny_bert()["config.json"]
    entry = await create(creator, "new", files={name: upload(home, content) for name, content in tiny_bert().items()})
    assert entry.blob.path == home.models / entry.blob.digest
    assert (entry.blob.path / "config.json").read_bytes() == config
    assert entry.blob.info.format == "safetensors"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/evil.json",
        "a/../evil.json",
        "a//evil.json",
        "./evil.json",
        "a\nb.json",
        "a\0.json",
        "a\\b.json",
        "é.json",
        "x" * 200 + ".json",
        "a/" * 10 + "b.json",
        "setup.py",
        "pyproject.toml",
        "setup.cfg",
        "Makefile",
        "x.pth",
        ".json",
        "",
    ],
)
async def test_an_uploaded_file_gets_no_name_that_leaves_the_model_or_that_a_tool_would_run(
    creator: Creator, home: Home, name: str
) -> None:
    digest = upload(home, b"{}")
    with pytest.raises(ValueError, match="no file name within"):
        await create(creator, "new", files={"config.json": digest, name: digest})
    assert [path for path in files_under(home.root) if not path.startswith(("models/uploads", "registry"))] == []


async def test_one_uploaded_file_lies_under_its_digest_whatever_it_is_called(
    creator: Creator, home: Home, tmp_path: Path
) -> None:
    digest = upload(home, tiny_gguf(tmp_path / "x.gguf"))
    await create(creator, "new", files={"../../setup.py": digest})
    assert not list(home.root.rglob("setup.py"))


async def test_a_corrupt_upload_makes_no_model(creator: Creator, home: Home, store: Store) -> None:
    with pytest.raises(ModelFileError):
        await create(creator, "new", files={"x.gguf": upload(home, b"GGUF\x03")})
    assert await store.models() == []


@pytest.mark.parametrize("kind", ["a local file", "uploaded files"])
async def test_nobody_tidies_up_what_a_model_is_being_made_of(
    creator: Creator, home: Home, store: Store, tmp_path: Path, kind: str
) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    of: dict[str, object] = {"from": str(tmp_path / "x.gguf")}
    if kind == "uploaded files":
        of = {"files": {name: upload(home, content) for name, content in tiny_bert().items()}}
    tidied = 0

    def tidy(progress: Progress) -> None:
        nonlocal tidied
        if progress.status == "writing manifest":
            # As `mlxr gc` and a second server do; what they would take for nobody's is nothing.
            sweep(home, 0.0, 0.0)
            assert list(model_files(home)) == []
            tidied += 1

    entry = await creator.create("new", msgspec.json.encode(of), tidy)
    assert tidied == 1
    assert files.digest_of(entry.blob.path) == entry.blob.digest
    assert await store.orphans() == []
    assert files_under(home.models / "partial") == []


async def test_what_the_base_lays_over_its_files_is_kept_unless_replaced(
    creator: Creator, home: Home, tmp_path: Path
) -> None:
    digest = upload(home, tiny_gguf(tmp_path / "x.gguf"))
    turns = [{"role": "user", "content": "hi"}]
    await create(
        creator, "base", files={"x.gguf": digest}, system="a", parameters={"seed": 1, "top_k": 2}, messages=turns
    )
    entry = await create(creator, "next", **{"from": "BASE"}, parameters={"seed": 3})
    assert entry.overrides.system == "a"
    assert entry.overrides.options == {"seed": 3, "top_k": 2}
    assert entry.overrides.messages == turns
    assert entry.overrides.parent == "BASE"


async def test_a_model_from_a_local_file_does_not_depend_on_it(
    creator: Creator, store: Store, home: Home, tmp_path: Path
) -> None:
    content = tiny_gguf(tmp_path / "x.gguf")
    await create(creator, "kept", **{"from": str(tmp_path / "x.gguf")})
    (tmp_path / "x.gguf").unlink()
    entry = await store.get("kept")
    assert entry.blob.path.read_bytes() == content
    assert entry.blob.path.is_relative_to(home.models)


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_files_that_a_model_has_already_stay_those_that_its_engine_opened(
    creator: Creator, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / ("x.gguf" if kind == "file" else "m")
    if kind == "file":
        tiny_gguf(source)
    else:
        source.mkdir()
        for name, content in tiny_bert().items():
            (source / name).write_bytes(content)
    first = await create(creator, "first", **{"from": str(source)})
    opened = identity(first.blob.path)
    second = await create(creator, "second", **{"from": str(source)}, system="Be brief.")
    assert (second.blob.path, identity(second.blob.path)) == (first.blob.path, opened)


async def test_files_that_a_fault_cut_short_are_replaced(creator: Creator, tmp_path: Path) -> None:
    content = tiny_gguf(tmp_path / "x.gguf")
    path = (await create(creator, "first", **{"from": str(tmp_path / "x.gguf")})).blob.path
    path.write_bytes(content[:-1])
    await create(creator, "second", **{"from": str(tmp_path / "x.gguf")})
    assert path.read_bytes() == content


async def test_an_old_upload_is_not_swept_up_while_a_model_is_made_of_it(
    home: Home, store: Store, tmp_path: Path
) -> None:
    digest = upload(home, tiny_gguf(tmp_path / "x.gguf")).removeprefix("sha256:")
    os.utime(files.upload_path(home, digest), (0, 0))
    async with StagedFiles.begun(home, MetadataReader()) as staged:
        blob = await staged.of_uploads({"x.gguf": f"sha256:{digest}"})
        assert await store.collect(600.0) == []
        staged.place([blob])
    assert blob.path.is_file()


async def test_a_model_from_a_local_folder_does_not_depend_on_it(creator: Creator, home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name, content in tiny_bert().items():
        (folder / name).write_bytes(content)
    entry = await create(creator, "kept", **{"from": str(folder)})
    assert entry.blob.path.is_relative_to(home.models)
    assert files_under(entry.blob.path) == sorted(tiny_bert())


async def test_another_template_brings_other_capabilities(creator: Creator) -> None:
    base = str(model_path("smollm2"))
    template = "{% for m in messages %}{{ m.content }}</think>{% endfor %}"
    entry = await create(creator, "thinker", **{"from": base}, template=template)
    assert entry.info.capabilities == ["completion", "thinking"]
    assert entry.info.template == entry.engine_spec().template == template


async def test_a_bad_name_is_refused_before_any_work(creator: Creator) -> None:
    with pytest.raises(ValueError, match="no model name"):
        await create(creator, "a b", **{"from": "nothing"})


async def test_a_model_has_one_beginning(creator: Creator) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        await create(creator, "two", **{"from": "a"}, files={"x.gguf": "sha256:" + "0" * 64})


async def test_a_model_has_no_more_files_than_a_folder_may_have(creator: Creator) -> None:
    with pytest.raises(ValueError, match="at most 4096"):
        await create(creator, "new", files={f"{number}.json": "sha256:" + "0" * 64 for number in range(5000)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("template", "a" * (1 << 20) + "b"),
        ("system", "\u00e9" * (1 << 19) + "b"),
        ("license", ["a" * (1 << 19)] * 2),
        ("messages", [{"role": "user", "content": "a" * 1000}] * 1024),
        ("parameters", {"stop": ["a" * (1 << 20)]}),
    ],
)
async def test_a_text_that_no_model_has_is_refused_by_its_field(
    creator: Creator, store: Store, field: str, value: object
) -> None:
    with pytest.raises(RequestError, match=f"`{field}` has .* bytes") as caught:
        await create(creator, "long", **{"from": str(model_path("smollm2")), field: value})
    assert caught.value.info.param == field
    assert await store.models() == []


async def test_parameters_do_not_grow_from_model_to_model(creator: Creator, home: Home, tmp_path: Path) -> None:
    digest = upload(home, tiny_gguf(tmp_path / "x.gguf"))
    await create(creator, "one", files={"x.gguf": digest}, parameters={"stop": ["a" * 600_000]})
    with pytest.raises(RequestError, match="`parameters` has"):
        await create(creator, "two", **{"from": "one"}, parameters={"more": "a" * 600_000})


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__ }}{{ messages.__class__.__name__ }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(10**6) %}{% endfor %}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include 'x' %}",
        "{{ lipsum() }}",
        "{{ raise_exception('no') }}",
        "{# nothing #}",
        "{% for %}",
    ],
)
@pytest.mark.parametrize("base", ["smollm2", "minilm"])
async def test_a_template_that_renders_no_conversation_is_refused_by_name(
    creator: Creator, store: Store, template: str, base: str
) -> None:
    with pytest.raises(RequestError, match="chat template") as caught:
        await create(creator, "odd", **{"from": str(model_path(base))}, template=template)
    assert caught.value.info.param == "template"
    assert await store.models() == []


async def test_uploaded_parts_of_a_gguf_model_become_one(creator: Creator, home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", split=6)
    names = [f"tiny-0000{number}-of-00002.gguf" for number in (1, 2)]
    uploads = {name: upload(home, (tmp_path / name).read_bytes()) for name in names}
    entry = await create(creator, "whole", files=uploads)
    assert (entry.info.format, entry.info.parameters) == ("gguf", 24 + 4 + 2 * 4 + 7 * 16)
    assert sorted(path.name for path in entry.blob.path.iterdir()) == names
    with pytest.raises(ModelFileError, match=r"part 2, 'tiny-00002-of-00002\.gguf', is missing"):
        await create(creator, "half", files={names[0]: uploads[names[0]], "README.md": upload(home, b"x")})
