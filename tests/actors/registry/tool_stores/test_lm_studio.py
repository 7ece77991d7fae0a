from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.catalogue.files import digest_of
from mlxr.actors.registry.tool_stores.lm_studio import scan
from tests.actors.registry.packages import tiny_bert, tiny_gguf


def test_models_are_named_by_publisher_repository_and_quantization(tmp_path: Path) -> None:
    one, two = tmp_path / "org/Tiny-GGUF", tmp_path / "org/bert"
    one.mkdir(parents=True)
    two.mkdir()
    for name in ("Tiny-Q4_K_M", "Tiny-UD-IQ2_XXS", "Tiny", "mmproj-Tiny-f16"):
        tiny_gguf(one / f"{name}.gguf")
    for name, data in tiny_bert().items():
        (two / name).write_bytes(data)
    found = {model.name: model for model in scan(tmp_path).models}
    assert set(found) == {"org/Tiny-GGUF:Q4_K_M", "org/Tiny-GGUF:UD-IQ2_XXS", "org/Tiny-GGUF:Tiny", "org/bert"}
    assert found["org/bert"].path == two
    assert found["org/Tiny-GGUF:Q4_K_M"].source == "hf.co/org/Tiny-GGUF:Q4_K_M"
    assert found["org/Tiny-GGUF:Q4_K_M"].unused == ("a projector, which reads images or sound",)
    assert found["org/bert"].read_digest() == digest_of(two)


def test_files_with_one_quantization_are_told_apart_by_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "org/several"
    folder.mkdir(parents=True)
    for name in ("a-Q8_0", "b-Q8_0"):
        tiny_gguf(folder / f"{name}.gguf")
    models = scan(tmp_path).models
    assert [model.name for model in models] == ["org/several:several-a-Q8_0", "org/several:several-b-Q8_0"]
    assert len({model.catalogue_name for model in models}) == 2


def test_a_model_in_parts_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "org/split"
    folder.mkdir(parents=True)
    tiny_gguf(folder / "tiny-Q4_0.gguf", split=3)
    (model,) = scan(tmp_path).models
    assert (model.name, model.path.name) == ("org/split:Q4_0", "tiny-Q4_0-00001-of-00004.gguf")


def test_a_download_under_way_and_odd_letters_are_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "org" / "näme & co"
    folder.mkdir(parents=True)
    (folder / "downloading_x.gguf.part").write_bytes(b"GG")
    tiny_gguf(folder / "x-Q4_0.gguf")
    (model,) = scan(tmp_path).models
    assert model.name == "org/näme & co:Q4_0"
    assert model.catalogue_name == "org/n-me-co:Q4_0"
