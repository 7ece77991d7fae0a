"""``mlxr create`` as a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from mlxr.models.formats.gguf.file import GGUFFile
from tests.actors.registry.packages import files_under, tiny_gguf
from tests.cli.commands import COMMAND, environment, mlxr

README = Path(__file__).parents[2] / "README.md"
PIRATE = '''# a pirate
FROM ./tiny.gguf
system """Talk like
a pirate."""
PARAMETER stop "<|im_end|>"
PARAMETER stop arr
PARAMETER temperature 0.3
TEMPLATE """{{ if .System }}<s>{{ .System }}</s>{{ end }}{{ .Prompt }}{{ .Response }}"""
MESSAGE user hi
MESSAGE assistant """Arr!
Arr!"""
LICENSE MIT
LICENSE Apache
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model in it, where commands run."""
    place = tmp_path / "place"
    place.mkdir()
    tiny_gguf(place / "tiny.gguf")
    monkeypatch.chdir(place)
    return place


def test_a_model_is_made_of_the_modelfile_that_is_here(tmp_path: Path, folder: Path) -> None:
    (folder / "Modelfile").write_text(PIRATE)
    home = tmp_path / "home"
    made = mlxr(home, "create", "pirate")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.split()[0] == "pirate"
    shown = json.loads(mlxr(home, "show", "pirate", "--json").stdout)
    assert shown["system"] == "Talk like\na pirate."
    assert shown["license"] == "MIT\nApache"
    assert shown["messages"][1] == {"role": "assistant", "content": "Arr!\nArr!"}
    assert shown["template"].startswith("{{ if .System }}")
    assert [line.split(maxsplit=1) for line in shown["parameters"].splitlines()] == [
        ["stop", '"<|im_end|>"'],
        ["stop", '"arr"'],
        ["temperature", "0.3"],
    ]


def test_what_show_prints_makes_the_same_model_again(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    assert mlxr(home, "create", "pirate", "-f", "-", stdin=PIRATE).returncode == 0
    written = mlxr(home, "show", "pirate", "--modelfile").stdout
    made = mlxr(home, "create", "again", "-f", "-", "--json", stdin=written)
    assert made.returncode == 0
    digests = {json.loads(mlxr(home, "show", name, "--json").stdout)["digest"] for name in ("pirate", "again")}
    assert digests == {json.loads(made.stdout)["digest"]}
    assert mlxr(home, "show", "again", "--modelfile").stdout == written


def test_parts_of_a_model_are_shown_alone(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    assert mlxr(home, "create", "pirate", "-f", "-", stdin=PIRATE).returncode == 0
    shown = {flag: mlxr(home, "show", "pirate", f"--{flag}").stdout for flag in ("system", "template", "license")}
    assert shown["system"] == "Talk like\na pirate.\n"
    assert shown["license"] == "MIT\nApache\n"
    assert shown["template"] == "{{ if .System }}<s>{{ .System }}</s>{{ end }}{{ .Prompt }}{{ .Response }}\n"
    assert mlxr(home, "show", "pirate", "--parameters").stdout.splitlines()[2].split() == ["temperature", "0.3"]
    both = mlxr(home, "show", "pirate", "--system", "--license")
    assert (both.returncode, "one of" in both.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM ./none.gguf", "stdin:1: FROM: there is no file or folder './none.gguf'"),
        ("FROM ./tiny.gguf\nSYSTM x", "stdin:2: unknown keyword 'SYSTM'; did you mean SYSTEM?"),
        ("FROM ./tiny.gguf\nPARAMETER temprature 1", "stdin:2: unknown parameter 'temprature'; did you mean"),
        ("FROM ./tiny.gguf\nPARAMETER num_ctx 4k", "stdin:2: num_ctx is a whole number"),
        ("FROM ./tiny.gguf\n\nTEMPLATE {{ .Prompt }}{{ end }}", "stdin:3: the chat template does not parse"),
        ("FROM ./tiny.gguf\nADAPTER ./tiny.gguf", "stdin:2: `adapters` has 'tiny.gguf', which is no adapter"),
        ("FROM ollama:nothing", "stdin:1: "),
        ("FROM ./text.gguf", "stdin:1: no model can be read at "),
        ("SYSTEM x", "stdin: has no FROM line"),
    ],
)
def test_a_modelfile_that_can_not_be_leaves_nothing(tmp_path: Path, folder: Path, text: str, said: str) -> None:
    (folder / "text.gguf").write_text("no model")
    home = tmp_path / "home"
    refused = mlxr(home, "create", "bad", "-f", "-", stdin=text)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1].startswith(f"mlxr: {said}")
    assert json.loads(mlxr(home, "list", "--json").stdout) == []
    assert files_under(home / "models") == []


def test_a_file_that_is_not_there_says_what_names_another(tmp_path: Path, folder: Path) -> None:
    refused = mlxr(tmp_path / "home", "create", "bad")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert refused.stderr.startswith("mlxr: Modelfile: there is no such file; -f names another")
    assert "no model name" in mlxr(tmp_path / "home", "create", "b a d").stderr


def test_remarks_go_to_stderr_and_the_model_is_made(tmp_path: Path, folder: Path) -> None:
    made = mlxr(tmp_path / "home", "create", "m", "-f", "-", stdin="FROM ./tiny.gguf\nPARAMETER mirostat 1\n")
    assert (made.returncode, made.stdout.split()[0]) == (0, "m")
    assert made.stderr == "mlxr: stdin:2: the parameter mirostat is deprecated; it is left out\n"


def test_a_model_is_made_of_several_files(tmp_path: Path, folder: Path) -> None:
    tiny_gguf(folder / "whole.gguf", "split", split=4)
    parts = sorted(path.name for path in folder.glob("whole-*.gguf"))
    assert len(parts) > 1
    text = "".join(f"FROM ./{part}\n" for part in parts)
    made = mlxr(tmp_path / "home", "create", "m", "-f", "-", "--json", stdin=text)
    assert (made.returncode, made.stderr) == (0, "")
    assert sorted(path.name for path in Path(json.loads(made.stdout)["path"]).iterdir()) == parts
    assert GGUFFile.open(folder / parts[0]).metadata["general.name"] == "split"


def test_the_readme_s_lines_work_as_printed(tmp_path: Path, folder: Path) -> None:
    section = README.read_text().split("### A model of your own, from a Modelfile")[1].split("\n### ")[0]
    (modelfile,) = re.findall(r"```dockerfile\n(.*?)```", section, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    (folder / "Modelfile").write_text(modelfile)
    home = tmp_path / "home"
    assert mlxr(home, "pull", str(folder / "tiny.gguf")).returncode == 0
    assert mlxr(home, "cp", "tiny", "smollm2").returncode == 0
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    for line in commands.splitlines():
        run = subprocess.run(
            ["bash", "-c", line], env=environment(home, PATH=path), capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (line, run.stderr)


def test_a_modelfile_comes_through_a_named_pipe(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=(folder / "pipe").write_text, args=(PIRATE,))
    writer.start()
    made = mlxr(tmp_path / "home", "create", "pirate", "-f", str(folder / "pipe"))
    writer.join()
    assert (made.returncode, made.stdout.split()[0]) == (0, "pirate")


def test_a_pipe_that_nobody_writes_into_ends_the_command(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    waited = mlxr(tmp_path / "home", "create", "pirate", "-f", str(tmp_path / "pipe"))
    assert waited.returncode == 1
    assert "nothing was written into this pipe" in waited.stderr


@pytest.mark.parametrize("line", ["ADAPTER /dev/zero", "FROM /dev/zero", "ADAPTER ./pipe"])
def test_what_is_neither_a_file_nor_a_folder_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "Modelfile").write_text(f"# one\n{line}\nFROM other" if line.startswith("A") else f"# one\n{line}")
    refused = mlxr(tmp_path / "home", "create", "mine", "-f", str(tmp_path / "Modelfile"))
    assert refused.returncode == 1
    assert "Modelfile:2: " in refused.stderr
    assert "is neither a file nor a folder" in refused.stderr


def test_a_made_model_has_one_digest_wherever_it_is_shown(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    made = json.loads(mlxr(home, "create", "pirate", "-f", "-", "--json", stdin=PIRATE).stdout)
    (listed,) = [each for each in json.loads(mlxr(home, "list", "--json").stdout) if each["name"] == "pirate"]
    shown = json.loads(mlxr(home, "show", "pirate", "--json").stdout)
    assert made["digest"] == listed["digest"] == shown["digest"]
    in_table = next(line for line in mlxr(home, "list").stdout.splitlines() if line.startswith("pirate"))
    assert in_table.split()[1] == made["digest"][:12]
    assert f"digest              {made['digest']}" in mlxr(home, "show", "pirate").stdout
