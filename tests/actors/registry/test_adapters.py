"""Adapters in the catalogue: pulled like models, fitted to models, and kept for the models that are made with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from gguf import GGUFWriter

from mlxr.actors.registry.catalogue.uploads import BlobWriter
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Adapter, ErrorCode
from mlxr.runtime.messages.registry import CreateModel, DeleteModel, LoadModel, PullModel, ShowModel
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under
from tests.actors.registry.rig import Rig
from tests.models.files import finish


def tiny_adapter(path: Path, width: int = 4, seed: int = 1, architecture: str = "llama") -> bytes:
    """For the queries of ``tiny_gguf``, if ``width`` is its own."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    writer.add_string("general.base_model.0.name", "Tiny")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", random.standard_normal((2, width)).astype(np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", random.standard_normal((4, 2)).astype(np.float32))
    finish(writer, path)
    return path.read_bytes()


def upload(home: Home, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with BlobWriter(home, digest, len(data)) as blob:
        blob.write(data)
        blob.commit()
    return digest


def entry(rig: Rig, name: str) -> ModelEntry:
    return next(each for each in rig.catalog.models if each.name == name)


def there(adapter: Adapter) -> bool:
    return Path(adapter.path).exists()


async def test_an_adapter_is_pulled_and_says_what_it_was_trained_on_and_what_it_fits(rig: Rig, tmp_path: Path) -> None:
    tiny_adapter(tmp_path / "a.gguf")
    tiny_adapter(tmp_path / "wide.gguf", width=8)
    for name in ("a", "wide"):
        assert (await rig.ask(PullModel, str(tmp_path / f"{name}.gguf"))).error is None
    info = entry(rig, "a").info
    assert info.capabilities == ["adapter"]
    assert (info.base, info.architecture, info.parameters) == ("Tiny", "llama", 16)
    assert sorted(entry(rig, "a").fits) == ["other", "tiny"]
    assert entry(rig, "wide").fits == []


async def test_an_adapter_by_itself_can_t_be_loaded(rig: Rig, tmp_path: Path) -> None:
    tiny_adapter(tmp_path / "a.gguf")
    await rig.ask(PullModel, str(tmp_path / "a.gguf"))
    error = (await rig.ask(LoadModel, "a")).error
    assert error is not None
    assert error.code is ErrorCode.INVALID
    assert "'a' is an adapter, trained on Tiny; name a model that it fits too, as in MODEL+a" in error.message


async def test_a_model_with_an_adapter_in_its_name_is_shown_and_loaded(rig: Rig, tmp_path: Path) -> None:
    tiny_adapter(tmp_path / "a.gguf")
    await rig.ask(PullModel, str(tmp_path / "a.gguf"))
    shown = msgspec.json.decode((await rig.ask(ShowModel, "tiny+a")).body)
    assert f"ADAPTER {entry(rig, 'a').path}" in shown["modelfile"]
    assert (await rig.ask(LoadModel, "tiny+a")).error is None
    assert rig.states()["tiny"] == "ready"
    for name in ("tiny+other", "a+tiny", "tiny+nope", "tiny+"):
        assert (await rig.ask(ShowModel, name)).error is not None


async def test_clients_on_other_machines_load_a_model_with_no_adapter_that_lies_at_a_path(
    rig: Rig, tmp_path: Path
) -> None:
    tiny_adapter(tmp_path / "secret")
    name = f"tiny+{tmp_path / 'secret'}"
    for command in (LoadModel, ShowModel):
        error = (await rig.ask(command, name, remote=True)).error
        assert error is not None
        assert error.code is ErrorCode.MODEL_NOT_FOUND
    assert rig.states() == {}
    assert (await rig.ask(LoadModel, name)).error is None


async def test_files_of_adapters_stay_for_the_models_made_with_them(rig: Rig, home: Home, tmp_path: Path) -> None:
    before = len(files_under(home.models))
    digest = upload(home, tiny_adapter(tmp_path / "a.gguf"))
    spec = msgspec.json.encode({"from": "tiny", "adapters": {"a.gguf": digest}})
    for name in ("one", "two"):
        assert (await rig.ask(CreateModel, name, spec)).error is None
    (adapter,) = entry(rig, "one").adapters
    assert (adapter.name, f"sha256:{adapter.digest}", there(adapter)) == ("a.gguf", digest, True)
    assert entry(rig, "one").digest == entry(rig, "two").digest != entry(rig, "tiny").digest
    again = msgspec.json.encode({"from": "one", "system": "Be brief."})
    assert (await rig.ask(CreateModel, "three", again)).error is None
    assert entry(rig, "three").adapters == [adapter]
    for name in ("one", "two"):
        await rig.ask(DeleteModel, name)
        assert there(adapter)
    await rig.ask(DeleteModel, "three")
    assert not there(adapter)
    assert len(files_under(home.models)) == before


async def test_a_model_with_adapters_is_served_by_the_engine_of_its_base(rig: Rig, home: Home, tmp_path: Path) -> None:
    digest = upload(home, tiny_adapter(tmp_path / "a.gguf"))
    await rig.ask(CreateModel, "made", msgspec.json.encode({"from": "tiny", "adapters": {"a.gguf": digest}}))
    await rig.ask(LoadModel, "tiny")
    await rig.ask(LoadModel, "made")
    assert rig.states() == {"tiny": "ready", "made": "ready"}
    assert len(rig.started()) == 1


async def test_an_adapter_that_does_not_fit_makes_no_model(rig: Rig, home: Home, tmp_path: Path) -> None:
    for data, message in (
        (tiny_adapter(tmp_path / "wide.gguf", width=8), "'blk.0.attn_q.weight.lora_a' of shape (2, 8)"),
        (tiny_adapter(tmp_path / "q.gguf", architecture="qwen2"), "architecture 'qwen2', and "),
        ((tmp_path / "tiny.gguf").read_bytes(), "is no adapter"),
    ):
        spec = msgspec.json.encode({"from": "tiny", "adapters": {"x.gguf": upload(home, data)}})
        error = (await rig.ask(CreateModel, "new", spec)).error
        assert error is not None
        assert error.code is ErrorCode.INVALID
        assert message in error.message
        assert "new" not in rig.models()
