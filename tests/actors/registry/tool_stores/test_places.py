from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlxr.actors.registry.tool_stores.places import places


def folders(tool: str, home: Path, platform: str = "linux", **environment: str) -> list[str]:
    found = places({"HOME": str(home), **environment}, platform)
    return [str(place.folder) for place in found if place.tool == tool]


def test_ollama_is_looked_for_where_it_is_told_to_be_then_where_it_usually_is(tmp_path: Path) -> None:
    usual = folders("ollama", tmp_path)
    assert usual[0] == f"{tmp_path}/.ollama/models"
    assert "/usr/share/ollama/.ollama/models" in usual
    told = folders("ollama", tmp_path, OLLAMA_MODELS="'/mnt/models'")
    assert told == ["/mnt/models", *usual]
    assert folders("ollama", tmp_path, "darwin") == [f"{tmp_path}/.ollama/models"]


def test_lm_studio_is_looked_for_in_both_its_homes_and_where_its_settings_say(tmp_path: Path) -> None:
    usual = folders("lmstudio", tmp_path)
    assert f"{tmp_path}/.lmstudio/models" in usual
    assert f"{tmp_path}/.cache/lm-studio/models" in usual
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio/settings.json").write_text(json.dumps({"downloadsFolder": "/mnt/studio"}))
    (tmp_path / ".lmstudio-home-pointer").write_text("/mnt/home\n")
    assert {"/mnt/studio", "/mnt/home/models"} <= set(folders("lmstudio", tmp_path))


@pytest.mark.parametrize("settings", ["", "{", "[]", '{"downloadsFolder": 5}', '{"downloadsFolder": "relative"}'])
def test_settings_that_say_nothing_change_nothing(tmp_path: Path, settings: str) -> None:
    usual = folders("lmstudio", tmp_path)
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio/settings.json").write_text(settings)
    assert folders("lmstudio", tmp_path) == usual


def test_hugging_faces_cache_is_where_its_variables_say(tmp_path: Path) -> None:
    assert folders("huggingface", tmp_path) == [f"{tmp_path}/.cache/huggingface/hub"]
    assert folders("huggingface", tmp_path, XDG_CACHE_HOME="/c") == ["/c/huggingface/hub"]
    assert folders("huggingface", tmp_path, HF_HOME="/h", XDG_CACHE_HOME="/c") == ["/h/hub"]
    assert folders("huggingface", tmp_path, HF_HUB_CACHE="/hub", HF_HOME="/h") == ["/hub"]


def test_llama_cpps_cache_is_the_systems(tmp_path: Path) -> None:
    assert folders("llama.cpp", tmp_path) == [f"{tmp_path}/.cache/llama.cpp"]
    assert folders("llama.cpp", tmp_path, "darwin") == [f"{tmp_path}/Library/Caches/llama.cpp"]
    assert folders("llama.cpp", tmp_path, LLAMA_CACHE="/l") == ["/l"]
