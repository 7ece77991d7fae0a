"""Rows of the table of agents, filled in."""

from __future__ import annotations

import json
import re
import string
import subprocess
import tomllib
from pathlib import Path

import pytest

from mlxr.cli.launch.agent import Agent
from mlxr.cli.launch.agents import AGENTS, ELSEWHERE
from mlxr.cli.launch.plan import HIDDEN, MOST_OUTPUT, Plan, Values, plan

KEY = "a-key-of-ours"
each_agent = pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)


def made(agent: Agent, arguments: list[str] | None = None, model: str = "qwen3:8b", context: int = 32768) -> Plan:
    return plan(agent, Values("http://127.0.0.1:7", model, KEY, context, Path("/somewhere")), arguments or [], "corp")


@each_agent
def test_a_row_names_the_server_the_model_and_nothing_unknown(agent: Agent) -> None:
    whole = made(agent)
    text = json.dumps([whole.command, whole.environment, {str(path): file for path, file in whole.files.items()}])
    assert "http://127.0.0.1:7" in text
    assert "qwen3:8b" in text
    assert re.search(r"\{(url|openai|model|key|context|output|config)\}", text) is None
    assert KEY not in json.dumps(whole.command)  # which others on this machine may read
    assert agent.install
    assert agent.name == agent.name.lower()


@each_agent
def test_a_row_writes_nothing_but_below_its_own_folder(agent: Agent) -> None:
    for path, text in made(agent).files.items():
        assert path.is_relative_to("/somewhere")
        assert ".." not in path.parts
        if path.suffix == ".json":
            json.loads(text)
        if path.suffix == ".toml":
            tomllib.loads(text)


@each_agent
def test_what_is_shown_has_no_key_and_is_what_a_shell_takes(agent: Agent, tmp_path: Path) -> None:
    whole = plan(agent, Values("http://127.0.0.1:7", "a 'model'", KEY, 4096, tmp_path / "its own"), ["-p", "say 'hi'"])
    shown = whole.as_shell(KEY)
    assert KEY not in shown
    assert KEY not in json.dumps(whole.as_json(KEY))
    # A command of that name that says what it was given.
    fake = tmp_path / "bin" / agent.command
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nfor part in "$@"; do printf "%s\\0" "$part"; done\nenv -0\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", "-eu", "-c", shown], env={"PATH": f"{fake.parent}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.split("\0")
    assert told[: len(whole.command) - 1] == [part.replace(KEY, HIDDEN) for part in whole.command[1:]]
    for name, value in whole.environment.items():
        assert f"{name}={value.replace(KEY, HIDDEN)}" in told
    for path, text in whole.files.items():
        assert path.read_text().rstrip() == text.rstrip().replace(KEY, HIDDEN)


def test_names_are_of_one_agent_each() -> None:
    names = [name for agent in AGENTS for name in (agent.name, *agent.aliases)]
    assert len(names) == len(set(names))
    assert not set(names) & set(ELSEWHERE)


def test_numbers_of_tokens_are_numbers() -> None:
    agent = Agent("a", "A", "a", "get it", files={"x.json": {"n": "{context}", "o": "{output}", "s": "of {context}"}})
    (text,) = made(agent).files.values()
    assert json.loads(text) == {"n": 32768, "o": MOST_OUTPUT, "s": "of 32768"}
    (text,) = made(agent, context=4096).files.values()
    assert json.loads(text)["o"] == 1024


def test_braces_in_a_models_name_stay() -> None:
    agent = Agent("a", "A", "a", "get it", environment={"M": "{model}", "J": {"{model}": 1}})
    environment = made(agent, model="{url}").environment
    assert (environment["M"], environment["J"]) == ("{url}", '{"{url}": 1}')


def test_the_server_is_reached_without_the_users_proxy() -> None:
    assert made(AGENTS[0]).environment["NO_PROXY"] == "corp,127.0.0.1,localhost"


def test_the_users_arguments_take_the_place_of_what_goes_without_them() -> None:
    agent = Agent("a", "A", "a", "get it", arguments=("--x",), otherwise=("chat",))
    assert made(agent).command == ("a", "--x", "chat")
    assert made(agent, ["one", "two"]).command == ("a", "--x", "one", "two")


def test_a_row_has_texts_that_can_be_filled() -> None:
    for agent in AGENTS:
        for text in (*agent.arguments, *(value for value in agent.environment.values() if isinstance(value, str))):
            assert all(field is None or field.isidentifier() for _, field, _, _ in string.Formatter().parse(text))
