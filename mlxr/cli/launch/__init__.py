"""``mlxr launch``: a coding agent on a local model, with nothing to configure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from mlxr.cli.completion import complete_model
from mlxr.cli.launch.agent import Agent
from mlxr.cli.launch.agents import AGENTS, ELSEWHERE
from mlxr.cli.options import AsJson, Endpoint
from mlxr.cli.printing import Column, print_json, print_table, remark
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.config import did_you_mean
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.paths import Home

if TYPE_CHECKING:
    from mlxr.cli.launch.session import Chosen

EXAMPLES = [
    ("mlxr launch", "which agents there are, and which are installed"),
    ("mlxr launch claude --model qwen3", "Claude Code on a model that is here"),
    ("mlxr launch codex -- exec 'explain this folder'", "with arguments of its own"),
    ("mlxr launch opencode --print", "what would be set, as lines for a shell"),
]
ASSUMED = "http://127.0.0.1:11435"
"""The server that ``--print`` shows where none runs."""

COLUMNS = (
    Column("AGENT", rank=0),
    Column("NAME", rank=2),
    Column("INSTALLED", rank=0),
    Column("INSTALL IT BY", rank=1),
)


def register(app: typer.Typer) -> None:
    add_verb(app, "launch", launch, Task.CHAT, EXAMPLES)


def complete_agent(incomplete: str) -> list[str]:
    return [agent.name for agent in AGENTS if agent.name.startswith(incomplete.lower())]


def launch(
    name: Annotated[
        str | None,
        typer.Argument(metavar="AGENT", help="Which one; a list of them if none.", autocompletion=complete_agent),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENTS]", help="What the agent itself is told.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model to work with.",
            show_default="one that is loaded, else models.default, else the newest",
            autocompletion=complete_model,
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--print", "--config", help="Show what would be set, as lines for a shell; run nothing.")
    ] = False,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Start a coding agent on a model that is here: Claude Code, Codex, opencode and more.

    It gets its settings by variables, options and files of its own below MLXR_HOME; your configuration of it stays as
    it is. Where no server runs, one is started, and ends after the agent.
    """
    if name is None:
        _list(as_json)
        return
    agent = _agent(name)
    if show or as_json:
        _show(agent, arguments or [], model, endpoint, as_json)
    else:
        _start(agent, arguments or [], model, endpoint)


def _agent(name: str) -> Agent:
    wanted = name.lower()
    for agent in AGENTS:
        if wanted in (agent.name, agent.command, *agent.aliases):
            return agent
    if wanted in ELSEWHERE:
        raise ConfigError(f"{name} can't be launched: {ELSEWHERE[wanted]}")
    names = [agent.name for agent in AGENTS]
    near = did_you_mean(wanted, names, "`mlxr launch {}`") or f"there are {', '.join(names)}"
    raise ConfigError(f"there is no agent {name!r}; {near}")


def _list(as_json: bool) -> None:
    from mlxr.cli.launch.session import status_of

    found = status_of(AGENTS)
    if as_json:
        print_json(
            [
                {"name": agent.name, "title": agent.title, "command": agent.command, "path": path,
                 "install": agent.install, "prompt_tokens": agent.prompt_tokens}
                for agent, path in found
            ]
        )  # fmt: skip
        return
    print_table(COLUMNS, [[a.name, a.title, "yes" if path else "no", "" if path else a.install] for a, path in found])


def _start(agent: Agent, arguments: list[str], model: str | None, endpoint: str | None) -> None:
    # HTTP, which a list of agents does without.
    import anyio

    from mlxr.cli.client.client import choose
    from mlxr.cli.launch import session
    from mlxr.cli.launch.plan import Values, plan

    path = session.executable(agent)
    if path is None:
        raise StartError(f"{agent.title} ({agent.command}) is not installed; get it by: {agent.install}")
    home = Home.find()
    server = anyio.run(choose, endpoint)
    chosen = session.choose_model(server, model, _default(home))
    _explain(chosen)
    remark(f"loading {chosen.name}")
    chosen = session.load(server, chosen)
    _warn(agent, chosen)
    folder = home.root / "agents" / agent.name
    values = Values(session.http_url(server, home), chosen.name, server.key or "none", chosen.context, folder)
    made = plan(agent, values, arguments, os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")))
    remark(f"{agent.title} works with {chosen.name} at {values.url}")
    raise typer.Exit(session.run(made, path, server, chosen.name))


def _explain(chosen: Chosen) -> None:
    if chosen.why:
        remark(f"{chosen.name} is taken, since {chosen.why}; --model names another")


def _warn(agent: Agent, chosen: Chosen) -> None:
    if 0 < chosen.context < agent.prompt_tokens:
        remark(
            f"{chosen.name} has a context of {chosen.context:,} tokens, and {agent.title} begins with about "
            f"{agent.prompt_tokens:,}; --model names one with a longer context"
        )
    if not chosen.tools and agent.tools:
        remark(f"{chosen.name} calls no tools, so {agent.title} can talk and do nothing; --model names another")


def _show(agent: Agent, arguments: list[str], model: str | None, endpoint: str | None, as_json: bool) -> None:
    from mlxr.cli.client.endpoint import API_KEY, named, running
    from mlxr.cli.launch import session
    from mlxr.cli.launch.plan import Values, plan

    home = Home.find()
    found = named(endpoint)
    server = found or next(iter(running(home)), None)
    key = server.key if server else os.environ.get(API_KEY, "")
    url, context, name = ASSUMED, 0, model or _default(home) or "MODEL"
    chosen: session.Chosen | None
    if server is not None:
        url = session.http_url(server, home)
        chosen = session.choose_model(server, model, _default(home))
    else:
        chosen = session.choose_installed(home, model, _default(home))
    if chosen is not None:
        name, context = chosen.name, chosen.context
        _explain(chosen)
        _warn(agent, chosen)
    values = Values(url, name, key or "none", context or agent.prompt_tokens, home.root / "agents" / agent.name)
    made = plan(agent, values, arguments, os.environ.get("NO_PROXY", ""))
    if server is None:
        remark(f"no server runs here; {ASSUMED} stands for it")
    if as_json:
        print_json(made.as_json(values.key))
    else:
        print(made.as_shell(values.key))


def _default(home: Home) -> str:
    """The configured default model; '' for none, or where the configuration is wrong, which others will say."""
    from mlxr.cli.configuration import configuration_file
    from mlxr.runtime.config import load
    from mlxr.server.config import Config

    return load(Config, configuration_file(None, home), os.environ).models.default
