"""The commands on models with a server that is named: they do there what they do here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.actors.registry.packages import tiny_gguf
from tests.actors.registry.tool_stores.stores import ollama_model
from tests.cli.commands import mlxr
from tests.models.quantization.models import small_model
from tests.server import serving


def test_models_of_a_named_server_are_listed_shown_copied_and_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    tiny_gguf(tmp_path / "tiny.gguf", "tiny")
    with serving(tmp_path / "home", models=("minilm",)) as server:
        named = {"MLXR_HOST": server.url.removeprefix("http://")}
        assert "pulled by" in mlxr(elsewhere, "pull", str(tmp_path / "tiny.gguf"), **named).stdout
        head, *lines = mlxr(elsewhere, "ls", **named).stdout.splitlines()
        assert head.split() == ["NAME", "DIGEST", "SIZE", "PARAMETERS", "QUANTIZATION", "MODIFIED"]
        assert [line.split()[0] for line in lines] == ["tiny", "minilm"]
        listed = json.loads(mlxr(elsewhere, "ls", "mini", "--json", "--endpoint", server.url).stdout)
        assert [model["name"] for model in listed] == ["minilm:latest"]
        assert "architecture" in mlxr(elsewhere, "show", "tiny", **named).stdout
        assert json.loads(mlxr(elsewhere, "show", "tiny", "--json", **named).stdout)["details"]["family"] == "llama"
        assert mlxr(elsewhere, "show", "tiny", "--modelfile", **named).stdout.startswith("FROM ")
        assert mlxr(elsewhere, "cp", "tiny", "mine", **named).stdout == "copied tiny to mine\n"
        assert mlxr(elsewhere, "rm", "tiny", **named).stdout == "removed tiny\n"
        assert json.loads(mlxr(elsewhere, "rm", "mine", "--json", **named).stdout) == [{"name": "mine"}]
        for arguments in (["show", "tiny"], ["rm", "tiny"], ["cp", "tiny", "x"]):
            refused = mlxr(elsewhere, *arguments, **named)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "not found" in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
        assert mlxr(elsewhere, "ls", "--all", **named).returncode == 2
    assert not elsewhere.exists()


def test_a_named_server_quantizes_imports_and_pushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, store = tmp_path / "elsewhere", tmp_path / "ollama"
    source = small_model(tmp_path / "f32.gguf", layers=2, width=96)
    ollama_model(store)
    monkeypatch.setenv("OLLAMA_MODELS", str(store))
    with serving(tmp_path / "home", models=("minilm",)) as server:
        named = {"MLXR_HOST": server.url.removeprefix("http://")}
        made = mlxr(elsewhere, "quantize", str(source), "--type", "Q4_K_M", "--name", "small", **named)
        assert made.stdout.split()[0] == "small", made.stderr
        assert "smaller than" in made.stderr
        assert "instead of Q4_K" in made.stderr
        made = mlxr(elsewhere, "convert", "small", "--to", "gguf", "--name", "same", "--json", **named)
        facts = json.loads(made.stdout)
        assert (facts["name"], facts["quantization"]) == ("same", "Q4_K_M")
        refused = mlxr(elsewhere, "quantize", "small", "--type", "Q8_0", **named)
        assert (refused.returncode, "quantized already" in refused.stderr) == (1, True)
        refused = mlxr(elsewhere, "quantize", "small", "--type", "Q8_0", "-o", "here.gguf", "--endpoint", server.url)
        assert (refused.returncode, "--output" in refused.stderr) == (2, True)
        assert "in place" in mlxr(elsewhere, "import", "ollama:tiny:1b", "--name", "theirs", **named).stdout
        assert "theirs" in mlxr(elsewhere, "ls", **named).stdout
        refused = mlxr(elsewhere, "push", "small", "http://127.0.0.1:9/me/small", **named)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert not elsewhere.exists()


def test_a_server_with_keys_lets_in_who_has_one(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--api-key", "secret", models=("minilm",), ready=False) as server:
        server.wait_ready()
        refused = mlxr(server.home, "ps")
        assert (refused.returncode, "MLXR_API_KEY" in refused.stderr) == (1, True)
        assert json.loads(mlxr(server.home, "ps", "--json", MLXR_API_KEY="secret").stdout) == []
        (tmp_path / "key").write_text("# mine\nsecret\n")
        shown = mlxr(server.home, "ls", "--endpoint", server.url, MLXR_API_KEY_FILE=str(tmp_path / "key"))
        assert "minilm" in shown.stdout
