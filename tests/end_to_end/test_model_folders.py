"""A model folder as Hugging Face publishes it, from pull to chat: it says what the same model says from a GGUF file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import model_path
from tests.models.exported import export_llama
from tests.server import Server, serving

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_llama(model_path("smollm2"), tmp_path_factory.mktemp("exported") / "SmolLM2-135M-Instruct")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, "smollm2", "--set", "kv.pool_tokens=8192", folders=(folder,)) as running:
        yield running


def test_a_pulled_folder_chats_as_its_gguf_file_does(server: Server) -> None:
    ours = server.chat(QUESTION, model="SmolLM2-135M-Instruct", max_tokens=16)
    theirs = server.chat(QUESTION, max_tokens=16)
    assert "Paris" in ours["choices"][0]["message"]["content"]
    assert ours["usage"]["prompt_tokens"] == theirs["usage"]["prompt_tokens"]
    assert ours["choices"][0]["finish_reason"] == theirs["choices"][0]["finish_reason"]


def test_a_folder_is_served_by_its_path_too(server: Server, folder: Path) -> None:
    answer = server.chat(QUESTION, model=str(folder), max_tokens=16)
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_what_people_are_shown_of_a_folder_is_what_its_files_say(server: Server) -> None:
    shown, gguf = (server.request("/api/show", {"model": name})[1] for name in ("SmolLM2-135M-Instruct", "smollm2"))
    assert (shown["details"]["family"], shown["details"]["format"]) == ("llama", "safetensors")
    for key in ("capabilities", "template"):
        assert shown[key] == gguf[key]


def test_an_answer_of_a_folder_can_be_held_to_a_schema(server: Server) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": {**schema, "additionalProperties": False}},
    }
    answer = server.chat(QUESTION, model="SmolLM2-135M-Instruct", max_tokens=32, response_format=wanted)
    assert answer["choices"][0]["message"]["content"].replace(" ", "") in ('{"city":"Paris"}', '{"city":"Rome"}')
