"""What holds for every verb: help that teaches by example, and wrong usage in one line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from mlxr.cli.app import make_app
from mlxr.cli.verbs import Task, Verb, example_lines
from tests.cli.commands import COMMAND, environment, mlxr

GROUP = typer.main.get_command(make_app())
VERBS: dict[str, Verb] = GROUP.commands  # type: ignore[attr-defined]
LISTED = sorted(name for name, verb in VERBS.items() if not verb.hidden)
EXAMPLES = [(name, command) for name in LISTED for command, _ in VERBS[name].examples]


@pytest.mark.parametrize("name", LISTED)
def test_a_verbs_help_ends_with_two_to_four_examples_under_a_task(name: str) -> None:
    verb = VERBS[name]
    assert 2 <= len(verb.examples) <= 4
    assert all(example.does for example in verb.examples)
    assert verb.rich_help_panel in [task.value for task in Task]


@pytest.mark.parametrize(("name", "command"), EXAMPLES)
def test_an_example_is_a_command_line_that_the_verb_takes(name: str, command: str) -> None:
    for part in re.split(r"\s(?:\||>|;|&&)\s", command.replace('eval "$(', "").replace(')"', "")):
        words = shlex.split(part)
        if words[0] != "mlxr":
            continue
        verb: Any = VERBS[words[1]]
        if len(words) > 2 and words[2] in getattr(verb, "commands", {}):
            words = [words[0], *words[2:]]
            verb = verb.commands[words[1]]
        with verb.make_context(words[1], words[2:], resilient_parsing=True):
            pass
        known = {option for param in verb.params for option in [*param.opts, *param.secondary_opts]} | {"--help"}
        passed_on = words.index("--") if "--" in words else len(words)
        given = {word.partition("=")[0] for word in words[2:passed_on] if re.match(r"--?[a-z]", word)}
        assert given <= known or verb.ignore_unknown_options or verb.context_settings.get("ignore_unknown_options")


def test_help_groups_verbs_by_task_and_says_how_commands_end(tmp_path: Path) -> None:
    shown = mlxr(tmp_path, "help")
    assert shown.returncode == 0
    assert mlxr(tmp_path, "--help").stdout == shown.stdout
    for task in Task:
        assert re.search(rf"^╭─ {task.value} ─", shown.stdout, re.MULTILINE)
    for name in LISTED:
        assert re.search(rf"^│ {name} ", shown.stdout, re.MULTILINE)
    assert "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted." in shown.stdout


def test_help_of_a_verb_is_the_same_both_ways(tmp_path: Path) -> None:
    shown = mlxr(tmp_path, "help", "rm").stdout
    assert mlxr(tmp_path, "rm", "-h").stdout == shown
    assert "   $ mlxr rm smollm2 gemma3  # several\n" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lst"], "there is no command 'lst'; did you mean `mlxr list`? `mlxr --help` lists them"),
        (["xyzzy"], "there is no command 'xyzzy'; `mlxr --help` lists them"),
        (["help", "shw"], "there is no command 'shw'; did you mean `mlxr help show`?"),
        (["cp", "one"], "`mlxr cp --help` shows how it is used"),
        (["list", "--jsn"], "--json"),
        (["a\x1b[2Jb"], "a\\x1b[2Jb"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_is_near(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = mlxr(tmp_path, *arguments)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("mlxr: ")
    assert says in line
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help_fits_a_narrow_terminal_and_has_colours_only_if_they_are_wanted(tmp_path: Path) -> None:
    narrow = mlxr(tmp_path, "--help", COLUMNS="40").stdout
    assert max(map(len, narrow.splitlines())) <= 40
    assert "\x1b" not in narrow
    assert "\x1b[" in mlxr(tmp_path, "--help", FORCE_COLOR="1").stdout


def test_a_reader_that_leaves_ends_a_command_quietly(tmp_path: Path) -> None:
    command = f'"{COMMAND}" help run | head -n 1; "{COMMAND}" config | head -n 1'
    shown = subprocess.run(
        ["bash", "-c", command], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert shown.stderr == ""
    assert os.linesep.join(shown.stdout.splitlines())


def _help_of(verb: Any, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    context = GROUP.make_context("mlxr", [], resilient_parsing=True)
    with verb.make_context(name, [], parent=context, resilient_parsing=True) as own:
        returned = verb.get_help(own)
    return capsys.readouterr().out + str(returned)


@pytest.mark.parametrize("columns", ["100", "80", "79", "60", "50"])
@pytest.mark.parametrize("name", LISTED)
def test_a_help_shows_options_whole_and_fits_the_terminal(
    name: str, columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    verb = VERBS[name]
    shown = _help_of(verb, name, capsys)
    assert "…" not in shown
    for param in verb.params:
        assert getattr(param, "hidden", False) or all(option in shown for option in param.opts if option[0] == "-")
    before_examples = shown.partition("Examples:")[0]
    assert all(len(line) <= int(columns) for line in before_examples.splitlines())


@pytest.mark.parametrize("name", LISTED)
def test_a_help_breaks_paragraphs_where_the_terminal_ends(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shown = _help_of(VERBS[name], name, capsys)
    for paragraph in re.split(r"\n\s*\n", VERBS[name].help or ""):
        assert " ".join(paragraph.split()) in shown


@pytest.mark.parametrize(
    ("arguments", "usage"), [(["config", "set"], "mlxr config set"), (["service", "install"], "mlxr service install")]
)
def test_help_of_a_verbs_own_command_is_the_same_both_ways(tmp_path: Path, arguments: list[str], usage: str) -> None:
    shown = mlxr(tmp_path, "help", *arguments)
    assert shown.returncode == 0
    assert f"Usage: {usage} " in shown.stdout
    assert shown.stdout == mlxr(tmp_path, *arguments, "--help").stdout


def test_help_of_no_command_names_the_one_that_is_near(tmp_path: Path) -> None:
    near = mlxr(tmp_path, "help", "config", "sett")
    assert near.returncode != 0
    assert near.stderr == "mlxr: `mlxr config` has no command 'sett'; did you mean `mlxr help config set`?\n"
    assert "`mlxr ps` has no commands of its own" in mlxr(tmp_path, "help", "ps", "set").stderr


@pytest.mark.parametrize("width", [80, 50, 30])
@pytest.mark.parametrize("name", LISTED)
def test_an_example_is_broken_between_words_and_stays_what_a_shell_takes(name: str, width: int) -> None:
    lines = example_lines(VERBS[name].examples, width)
    commands = re.sub(r"^   \$ ", "\0", "\n".join(line for line in lines if not line.startswith("   # ")), flags=re.M)
    pasted = [" ".join(command.replace("\\\n", "").split()) for command in commands.split("\0")[1:]]
    assert [re.sub(r"\s+# .*", "", command) for command in pasted] == [each for each, _ in VERBS[name].examples]
    whole = [word for each in VERBS[name].examples for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", each.command)]
    assert all(len(line) <= max(width, 12 + max(map(len, whole))) for line in lines)


@pytest.mark.parametrize("columns", ["79", "50"])
@pytest.mark.parametrize("arguments", [[], ["config"], ["config", "set"], ["service"], ["service", "install"]])
def test_every_help_fits_a_narrow_terminal_with_each_name_whole(
    tmp_path: Path, arguments: list[str], columns: str
) -> None:
    shown = mlxr(tmp_path, *arguments, "--help", COLUMNS=columns)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(len(line) <= int(columns) for line in shown.stdout.splitlines())
    assert "…" not in shown.stdout
    assert "╭" not in shown.stdout
    command: Any = GROUP
    for name in arguments:
        command = command.commands[name]
    for param in command.params:
        assert getattr(param, "hidden", False) or all(each in shown.stdout for each in param.opts if each[0] == "-")


def test_what_a_name_is_for_hangs_below_it_on_a_narrow_terminal(tmp_path: Path) -> None:
    lines = mlxr(tmp_path, "run", "--help", COLUMNS="50").stdout.splitlines()
    at = lines.index("  --system <str>")
    assert lines[at + 1].startswith("      The system prompt, in place of the")
    assert all(line.startswith("      ") for line in lines[at + 1 : at + 3])


def test_a_sentence_of_a_command_is_one_line_in_the_list_of_all(tmp_path: Path) -> None:
    shown = mlxr(tmp_path, "--help", COLUMNS="200").stdout
    assert "Modelfile: another model, or files, with a template, system prompt and parameters of its own." in shown


WITHOUT_JSON = {"up", "completion", "help", "config default", "config edit", "service logs"}
"""What serves, writes scripts or help, opens an editor, or hands its options on."""


def test_every_verb_takes_json_but_what_has_no_result() -> None:
    def commands(command: Any, path: str) -> dict[str, Any]:
        own = {name: each for name, each in getattr(command, "commands", {}).items() if not each.hidden}
        deeper = [commands(each, f"{path} {name}".strip()) for name, each in own.items()]
        return {key: value for found in deeper for key, value in found.items()} if own else {path: command}

    every = commands(GROUP, "")
    able = {path for path, command in every.items() if any("--json" in param.opts for param in command.params)}
    assert set(every) - able == WITHOUT_JSON
