from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.modelfile.errors import ModelfileError
from mlxr.actors.registry.modelfile.model_files import named_files
from mlxr.actors.registry.modelfile.parse import parse
from mlxr.actors.registry.modelfile.request import ModelfileRequest, interpreted


def request(folder: Path, text: str) -> ModelfileRequest:
    return interpreted(parse(text, "Modelfile"), folder, "Modelfile")


def test_the_fields_are_those_of_a_create_request(tmp_path: Path) -> None:
    text = """FROM llama3.2
PARAMETER temperature 1
PARAMETER stop a
PARAMETER stop "b c"
PARAMETER use_mmap true
SYSTEM one
SYSTEM two
TEMPLATE {{ .Prompt }}
LICENSE MIT
LICENSE Apache
MESSAGE user hi
MESSAGE assistant "yes:
no"
PARSER qwen3-coder
REQUIRES v0.14.0
"""
    made = request(tmp_path, text)
    assert (made.from_, made.files, made.adapters, made.remarks) == ("llama3.2", [], [], [])
    assert made.fields == {
        "parameters": {"temperature": 1.0, "stop": ["a", "b c"], "use_mmap": True},
        "system": "two",
        "template": "{{ .Prompt }}",
        "license": ["MIT", "Apache"],
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes:\nno"}],
        "parser": "qwen3-coder",
        "requires": "0.14.0",
    }
    assert made.lines["system"] == 7
    assert made.lines["parameters.stop"] == 4


def test_files_are_looked_for_beside_the_modelfile(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    (tmp_path / "odd").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.safetensors").touch()
    (tmp_path / "llama3.2").mkdir()
    for written in ("model.gguf", "./model.gguf", str(tmp_path / "model.gguf"), "odd", "folder", "./folder"):
        made = request(tmp_path, f"FROM {written}\nADAPTER ./odd")
        assert (made.from_, made.adapters) == ("", [tmp_path / "odd"])
        assert made.files[0].resolve() == (tmp_path / written).resolve()
    # A folder that only has a model's name is none.
    assert request(tmp_path, "FROM llama3.2").from_ == "llama3.2"


def test_several_files_are_one_model(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    assert request(tmp_path, "FROM ./a.gguf\nFROM ./b.gguf").files == [tmp_path / "a.gguf", tmp_path / "b.gguf"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM ./none.gguf", "Modelfile:1: FROM: there is no file or folder './none.gguf'"),
        ("FROM none.gguf", "Modelfile:1: FROM: there is no file or folder 'none.gguf'"),
        ("FROM ~nobody-of-that-name/x.gguf", "Modelfile:1: "),
        ("FROM a\nADAPTER ./none", "Modelfile:2: ADAPTER: there is no file or folder './none'"),
        ("FROM a\nDRAFT ./none", "Modelfile:2: DRAFT: there is no file or folder './none'"),
        ("FROM a\nPARAMETER tempature 1", "Modelfile:2: unknown parameter 'tempature'; did you mean temperature?"),
        ("FROM a\nPARAMETER top_k many", "Modelfile:2: top_k is a whole number, not 'many'"),
        ("FROM a\nRENDERER qwen3-code", "Modelfile:2: unknown RENDERER 'qwen3-code'; did you mean qwen3-coder?"),
        ("FROM a\nPARSER harmoni", "Modelfile:2: unknown PARSER 'harmoni'; did you mean harmony?"),
        ("FROM a\nREQUIRES soon", "Modelfile:2: REQUIRES is a version, such as 0.14.0, not 'soon'"),
        ("FROM a\nFROM ./Modelfile.here", "Modelfile:2: FROM: there is no file"),
        ("FROM \"a\tb\"", "Modelfile:1: FROM is neither a model's name nor a file"),
    ],
)  # fmt: skip
def test_what_a_keyword_does_not_take_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelfileError) as wrong:
        request(tmp_path, text)
    assert str(wrong.value).startswith(said)


def test_a_model_begins_with_a_name_or_with_files(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    for text in ("FROM x\nFROM ./a.gguf", "FROM ./a.gguf\nFROM x"):
        with pytest.raises(ModelfileError, match=r"Modelfile:2: .*one beginning"):
            request(tmp_path, text)


def test_what_changes_nothing_is_left_out_with_a_remark(tmp_path: Path) -> None:
    made = request(tmp_path, "FROM a\nPARAMETER mirostat 2\nRENDERER glm-4.7\nTEMPLATE x")
    assert "parameters" not in made.fields
    assert [text.split(": ")[0] for text in made.remarks] == ["Modelfile:2", "Modelfile:4"]


def test_a_draft_is_the_draft_model_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "d.gguf").touch()
    made = request(tmp_path, "FROM a\nDRAFT ./d.gguf\nPARAMETER seed 1")
    assert (made.fields["parameters"], made.remarks) == ({"draft_model": str(tmp_path / "d.gguf"), "seed": 1}, [])


def test_files_have_the_names_that_they_have_within_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "1_Pooling/config.json", "train.py", "weights.bin"):
        (folder / name).touch()
    assert list(named_files([folder])) == ["1_Pooling/config.json", "config.json", "model.safetensors"]
    (tmp_path / "sha256-ab").write_bytes(b"GGUF")
    assert named_files([tmp_path / "sha256-ab"]) == {"sha256-ab.gguf": tmp_path / "sha256-ab"}
    with pytest.raises(ValueError, match=r"two files are called 'config\.json'"):
        named_files([folder, folder / "config.json"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no files of a model"):
        named_files([tmp_path / "empty"])
