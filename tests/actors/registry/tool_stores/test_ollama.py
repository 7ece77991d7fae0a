from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlxr.actors.registry.tool_stores.ollama import scan
from tests.actors.registry.packages import tiny_gguf
from tests.actors.registry.tool_stores.stores import ollama_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_models_have_the_names_that_ollama_shows(folder: Path) -> None:
    for path in ("registry.ollama.ai/library/tiny/1b", "registry.ollama.ai/me/mine/latest", "example.com/a/b/c"):
        ollama_model(folder, path)
    found = scan(folder)
    assert [model.name for model in found.models] == ["example.com/a/b:c", "tiny:1b", "me/mine:latest"]
    assert {model.catalogue_name for model in found.models} == {"example.com/a/b:c", "tiny:1b", "me/mine"}
    assert found.problems == []


def test_a_model_is_its_blob_where_it_lies_with_the_digest_that_ollama_has(folder: Path) -> None:
    data = tiny_gguf(folder.parent / "x.gguf")
    ollama_model(folder, model=data)
    (model,) = scan(folder).models
    assert model.path.read_bytes() == data
    assert model.path.name == f"sha256-{model.read_digest()}"


def test_blobs_of_an_older_ollama_have_a_colon(folder: Path) -> None:
    ollama_model(folder)
    (before,) = scan(folder).models
    before.path.rename(before.path.with_name(before.path.name.replace("-", ":")))
    (model,) = scan(folder).models
    assert (model.problem, model.path.is_file()) == ("", True)


def test_its_layers_are_what_is_laid_over_it(folder: Path) -> None:
    layers = [
        ("template", b"{{ .Prompt }}"),
        ("system", b"Be brief."),
        ("params", b'{"temperature": 0.5, "stop": ["<end>"]}'),
        ("messages", b'[{"role": "user", "content": "Hi"}]'),
        ("license", b"MIT"),
        ("license", b"and more"),
    ]
    ollama_model(folder, layers=layers)
    (model,) = scan(folder).models
    laid = model.overrides()
    assert laid.template == "{{ .Prompt }}"
    assert (laid.system, laid.license) == ("Be brief.", "MIT\nand more")
    assert laid.options == {"temperature": 0.5, "stop": ["<end>"]}
    assert laid.messages == [{"role": "user", "content": "Hi"}]


def test_adapters_go_with_it_and_what_is_not_used_is_named(folder: Path) -> None:
    ollama_model(folder, layers=[("adapter", b"GGUFx"), ("projector", b"GGUFy"), ("draft", b"z")])
    (model,) = scan(folder).models
    ((digest, path),) = model.adapters
    assert path.name == f"sha256-{digest}"
    assert model.unused == ("a draft model", "a projector, which reads images or sound")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("<!DOCTYPE html>", "a web page"), ("{", "no manifest"), ('{"schemaVersion": 2, "layers": []}', "no layers")],
)
def test_a_broken_manifest_is_one_model_that_cannot_be_used(folder: Path, text: str, reason: str) -> None:
    ollama_model(folder)
    ollama_model(folder, "registry.ollama.ai/library/broken/latest").write_text(text)
    broken, whole = scan(folder).models
    assert reason in broken.problem
    assert whole.problem == ""


def test_a_download_that_is_not_whole_says_how_to_go_on(folder: Path) -> None:
    ollama_model(folder)
    (model,) = scan(folder).models
    model.path.write_bytes(model.path.read_bytes()[:100])
    (cut,) = scan(folder).models
    assert cut.problem.startswith("has 100 of ")
    model.path.unlink()
    (gone,) = scan(folder).models
    assert gone.problem.startswith("lacks its file")
    assert all("`ollama pull tiny:1b`" in each.problem for each in (cut, gone))


def test_a_model_that_runs_elsewhere_is_named_as_such(folder: Path) -> None:
    ollama_model(folder, model=b"", config={"remote_host": "https://ollama.com:443", "remote_model": "big"})
    (model,) = scan(folder).models
    assert "runs on https://ollama.com:443" in model.problem


def test_a_layer_of_another_size_than_it_should_have_is_not_read(folder: Path) -> None:
    manifest = ollama_model(folder, layers=[("system", b"x" * 50)])
    body = json.loads(manifest.read_text())
    body["layers"][-1]["size"] = 2 << 20
    manifest.write_text(json.dumps(body))
    (model,) = scan(folder).models
    with pytest.raises(ValueError, match="bytes for its system"):
        model.overrides()


def test_links_in_circles_and_strange_files_are_a_line_each(folder: Path) -> None:
    ollama_model(folder)
    library = folder / "manifests/registry.ollama.ai/library"
    (library / "circle").symlink_to("circle")
    (library / "up").symlink_to("../../../manifests")
    (library / "tiny" / "nowhere").symlink_to("/does/not/exist")
    (library / "tiny" / "a\nb").write_text("{}")
    os.mkfifo(library / "tiny" / "pipe")
    found = scan(folder)
    assert [model.name for model in found.models] == ["tiny:1b"]
    assert all("\n" not in problem for problem in found.problems)
    assert any("leads nowhere" in problem for problem in found.problems)
    assert any("not one plain line" in problem for problem in found.problems)


def test_a_folder_of_somebody_else_is_a_line_with_the_way_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ollama_model(folder)

    def refused(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    found = scan(folder)
    assert found.models == []
    (problem,) = found.problems
    assert "Permission denied; `sudo chmod -R a+rX" in problem


def test_no_folder_is_no_models(tmp_path: Path) -> None:
    found = scan(tmp_path / "nothing")
    assert (found.models, found.problems) == ([], [])
