"""Looking into files that may kill whoever looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter

from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.actors.registry.metadata.reader import PREPARE, MetadataReader
from mlxr.models.chat import ChatError
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.runtime.paths import Home
from mlxr.runtime.sandbox import Sandbox, TaskLimits
from tests.actors.registry.packages import tiny_bert, tiny_gguf
from tests.models import model_path
from tests.models.files import finish


@pytest.fixture
async def reader() -> AsyncIterator[MetadataReader]:
    reader = MetadataReader.sandboxed()
    yield reader
    await reader.close()


@pytest.fixture
async def narrow() -> AsyncIterator[MetadataReader]:
    """One whose process has next to no memory."""
    reader = MetadataReader(Sandbox(PREPARE), TaskLimits(memory=4 << 20))
    yield reader
    await reader.close()


async def test_facts_read_in_the_sandbox_are_those_read_here(reader: MetadataReader, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    for path in (tmp_path / "x.gguf", model_path("smollm2"), model_path("minilm")):
        assert await reader.usable(path) == read_model_info(path)


async def test_a_corrupt_file_is_named_with_the_reason(reader: MetadataReader, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03\0\0\0")
    with pytest.raises(ModelFileError, match=r"bad\.gguf: ends within .*byte 8") as caught:
        await reader.info(tmp_path / "bad.gguf")
    assert (caught.value.path, caught.value.offset) == (tmp_path / "bad.gguf", 8)
    with pytest.raises(ModelFileError, match=r"missing\.gguf: can't be read: No such file"):
        await reader.info(tmp_path / "missing.gguf")


async def test_a_file_that_kills_its_reader_is_refused_in_words_and_the_next_one_is_read(
    narrow: MetadataReader, tmp_path: Path
) -> None:
    info = await narrow.info(model_path("gemma3"))
    assert info.unusable == "can't be used: reading it takes too much memory"
    with pytest.raises(UnsupportedModelError, match=r"gemma3\.gguf: can't be used: reading it"):
        await narrow.usable(model_path("gemma3"))
    tiny_gguf(tmp_path / "x.gguf")
    assert (await narrow.usable(tmp_path / "x.gguf")).architecture == "llama"


async def test_what_kills_its_reader_is_read_once(narrow: MetadataReader, tmp_path: Path) -> None:
    store = await Store.open(Home(tmp_path / "home"))
    try:
        for resolver in (Resolver(store, narrow), Resolver(store, MetadataReader(unheard_of()))):
            with pytest.raises(UnsupportedModelError, match="takes too much memory"):
                await resolver.find(str(model_path("gemma3")))
    finally:
        await store.close()


def unheard_of() -> Sandbox:
    """One in which nothing can run."""
    return Sandbox("no.such.module:prepare")


def written(path: Path, source: Path, **extra: float) -> Path:
    """``source`` with other settings, and a tensor more where ``extra`` has none."""
    reader = GGUFReader(source)
    writer = GGUFWriter(path, "llama")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            kind = field.types[0]
            writer.add_key_value(key, field.contents(), kind, field.types[-1] if len(field.types) > 1 else None)
    for key, value in extra.items():
        writer.add_float32(f"llama.{key}", value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    if not extra:
        writer.add_tensor("output.bias", reader.tensors[0].data[0])
    return finish(writer, path)


async def test_a_model_that_can_not_run_here_is_told_from_its_header(reader: MetadataReader, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    assert (
        "the tensor 'output.bias'" in (await reader.info(written(tmp_path / "bias.gguf", tmp_path / "x.gguf"))).unusable
    )
    scaled = written(tmp_path / "scale.gguf", tmp_path / "x.gguf", logit_scale=8.0)
    assert "the setting 'llama.logit_scale'" in (await reader.info(scaled)).unusable


async def test_a_folder_whose_tokenizer_has_more_tokens_than_its_embedding_is_refused(
    reader: MetadataReader, tmp_path: Path
) -> None:
    for name, content in tiny_bert().items():
        (tmp_path / name).write_bytes(content)
    assert (await reader.info(tmp_path)).unusable == ""
    raised = tiny_bert()["tokenizer.json"].replace(b'"##c": 5', b'"##c": 6')
    (tmp_path / "tokenizer.json").write_bytes(raised)
    assert (await reader.info(tmp_path)).unusable.startswith("names 7 tokens, and its embedding has 6; fetch all")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 3 ** (200000000 * messages|length) % 7 }}", r"processor time|takes more than 30 s"),
        ("{{ ('a' * 2000000000)|length }}", "memory|MemoryError"),
    ],
)
async def test_a_template_that_takes_too_much_is_to_blame_and_no_file(
    reader: MetadataReader, template: str, reason: str
) -> None:
    with pytest.raises(ChatError, match=reason) as caught:
        await reader.with_template(template, False)
    assert caught.value.info.param == "template"
    assert "/" not in caught.value.info.message
