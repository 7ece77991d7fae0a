from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.tool_stores.places import Place
from mlxr.actors.registry.tool_stores.scan import find_in_stores, scan_stores
from mlxr.runtime.errors import ModelNotFound
from tests.actors.registry.packages import tiny_gguf
from tests.actors.registry.tool_stores.stores import ollama_model, placed


@pytest.fixture
def stores(tmp_path: Path) -> list[Place]:
    ollama_model(tmp_path / "ollama")
    folder = tmp_path / "studio/org/tiny"
    folder.mkdir(parents=True)
    for name in ("tiny-Q4_0", "tiny-Q8_0"):
        tiny_gguf(folder / f"{name}.gguf")
    return placed(ollama=tmp_path / "ollama", lmstudio=tmp_path / "studio")


@pytest.mark.parametrize("name", ["tiny:1b", "TINY:1B", "library/tiny:1b", "registry.ollama.ai/library/tiny:1b"])
def test_ollamas_models_are_found_by_every_spelling_of_theirs(stores: list[Place], name: str) -> None:
    assert find_in_stores(stores, "ollama", name).full_name == "ollama:tiny:1b"


def test_a_name_that_may_be_several_lists_them(stores: list[Place]) -> None:
    with pytest.raises(ModelNotFound, match="lmstudio:org/tiny:Q4_0, lmstudio:org/tiny:Q8_0"):
        find_in_stores(stores, "lmstudio", "org/tiny")
    assert find_in_stores(stores, "lmstudio", "org/tiny:q8_0").path.name == "tiny-Q8_0.gguf"
    with pytest.raises(ModelNotFound, match=r"LM Studio has no model 'tiny:1b'.*`mlxr ls --all`"):
        find_in_stores(stores, "lmstudio", "tiny:1b")


def test_of_two_models_with_one_name_the_first_folder_has_it(stores: list[Place], tmp_path: Path) -> None:
    ollama_model(tmp_path / "second")
    both = scan_stores([*stores, Place("ollama", tmp_path / "second")], "ollama")
    assert [model.path.parent for model in both.models] == [tmp_path / "ollama/blobs"]


def test_a_folder_that_a_setting_names_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = scan_stores([Place("ollama", tmp_path / "gone", asked=True), Place("ollama", tmp_path / "usual")])
    assert found.problems == [f"Ollama: its settings name {tmp_path / 'gone'}, where no folder is"]
