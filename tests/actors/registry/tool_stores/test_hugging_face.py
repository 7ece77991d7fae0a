from __future__ import annotations

import hashlib
from pathlib import Path

from mlxr.actors.registry.catalogue.files import hash_file, hash_folder
from mlxr.actors.registry.catalogue.local_files import stat_model
from mlxr.actors.registry.tool_stores.hugging_face import scan
from tests.actors.registry.packages import tiny_bert, tiny_gguf
from tests.actors.registry.tool_stores.stores import hub_file, hub_ref

OLD, NEW = "0" * 40, "1" * 40


def test_the_branch_main_has_the_plain_name_and_other_versions_their_own(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--tiny"
    for commit in (OLD, NEW):
        hub_file(repository, commit, "tiny-Q4_0.gguf", tiny_gguf(tmp_path / "x.gguf", commit))
    hub_ref(repository, "main", NEW)
    assert [model.name for model in scan(tmp_path).models] == ["org/tiny@00000000:Q4_0", "org/tiny:Q4_0"]
    hub_ref(repository, "v1", OLD)
    models = {model.name: model for model in scan(tmp_path).models}
    assert set(models) == {"org/tiny@v1:Q4_0", "org/tiny:Q4_0"}
    assert models["org/tiny@v1:Q4_0"].catalogue_name == "org/tiny:v1-Q4_0"
    assert models["org/tiny:Q4_0"].source == "hf.co/org/tiny:Q4_0"


def test_a_snapshot_of_links_is_a_model_folder_whose_digest_needs_no_reading(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--bert"
    for name, data in tiny_bert().items():
        hub_file(repository, NEW, name, data, large=name.endswith(".safetensors"))
    (model,) = scan(tmp_path).models
    assert (model.name, model.path) == ("org/bert", repository / "snapshots" / NEW)
    assert stat_model(model.path).size == sum(map(len, tiny_bert().values()))
    assert model.read_digest() == hash_folder(model.path)
    weights = (model.path / "model.safetensors").resolve()
    weights.write_bytes(bytes(weights.stat().st_size))  # not looked at: the cache says what it is
    before = model.read_digest()
    weights.rename(weights.with_name(hash_file(weights)))
    assert before != hashlib.sha256(b"").hexdigest()


def test_a_gguf_file_has_the_digest_that_its_blob_is_named_after(tmp_path: Path) -> None:
    data = tiny_gguf(tmp_path / "x.gguf")
    hub_file(tmp_path / "models--org--tiny", NEW, "tiny.gguf", data)
    (model,) = scan(tmp_path).models
    assert model.read_digest() == hashlib.sha256(data).hexdigest()


def test_what_is_no_model_or_not_whole_is_left_out_or_told(tmp_path: Path) -> None:
    (tmp_path / "datasets--org--data").mkdir()
    (tmp_path / "models--org--empty").mkdir()
    hub_file(tmp_path / "models--org--tokenizer", NEW, "tokenizer.json", b"{}")
    repository = tmp_path / "models--org--cut"
    link = hub_file(repository, NEW, "cut-Q4_0.gguf", b"GGUF")
    link.resolve().unlink()
    circle = tmp_path / "models--org--circle"
    (circle / "snapshots").mkdir(parents=True)
    (circle / "snapshots" / NEW).symlink_to(NEW)
    hub_ref(circle, "main", NEW)
    found = scan(tmp_path)
    assert found.models == []
    assert [problem for problem in found.problems if "leads nowhere" in problem]
