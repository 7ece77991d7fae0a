"""``mlxr service``: the server as a service of this user, which survives crashes and reboots."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxr.cli.options import AsJson
from mlxr.cli.printing import print_facts, print_json, remark
from mlxr.cli.verbs import Task, Verb, VerbGroup, epilog_of
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.paths import Home
from mlxr.runtime.whole_files import write_whole

if TYPE_CHECKING:
    from mlxr.cli.service import managers

HELP = """Run the server as a service of yours: it starts by itself, and again after a crash."""
EXAMPLES = [
    ("mlxr service install smollm2", "from now on, and at every start"),
    ("mlxr service install --print", "what that would write"),
    ("mlxr service status", "whether it runs"),
    ("mlxr service logs -f", "what it says"),
]

ManagerName = Annotated[
    str | None, typer.Option("--manager", help="Whose file to print: systemd or launchd.", show_default="this system's")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(cls=VerbGroup, help=HELP, epilog=epilog_of(EXAMPLES), no_args_is_help=True)
    for function in (install, uninstall, status, start, stop):
        group.command(cls=Verb)(function)
    group.command("logs", cls=Verb, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(logs)
    app.add_typer(group, name="service", rich_help_panel=Task.SETUP.value)


def install(
    model: Annotated[str | None, typer.Argument(help="What to load.", show_default="as `mlxr up` does")] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="A file with a key a line that lets clients in; keys are never in the unit.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Show what would be written, and do nothing.")] = False,
    manager: ManagerName = None,
    as_json: AsJson = False,
) -> None:
    """Install and start the service; once more is as good as once.

    Settings are those of the configuration file (`mlxr config set`); variables of your shell do not count there.
    """
    from mlxr.cli.service import managers
    from mlxr.cli.service.definition import Service

    if manager not in (None, "systemd", "launchd"):
        raise ConfigError(f"--manager {manager}: it is systemd or launchd")
    home = Home.find()
    arguments = ["up", *([model] if model else [])]
    if api_key_file is not None:
        if not api_key_file.expanduser().is_file():
            raise ConfigError(f"--api-key-file {api_key_file}: there is no such file")
        arguments += ["--api-key-file", str(api_key_file.expanduser().absolute())]
    config = os.environ.get("MLXR_CONFIG", "")
    config = str(Path(config).absolute()) if config else ""
    service = Service(_program(), tuple(arguments), home.root, config, _drain(home))
    if show:
        printed = managers.named(manager)
        if as_json:
            print_json({"service": printed.name, "file": str(printed.file), "text": printed.text(service)})
        else:
            print(printed.text(service), end="")
        return
    _warn_of_variables()
    chosen = managers.manager()
    changed = _put(chosen.file, chosen.text(service))
    home.make()
    chosen.begin(changed)
    if as_json:
        print_json({"service": chosen.name, "file": str(chosen.file), "changed": changed})
    remark(f"{'written' if changed else 'unchanged'}: {chosen.file}")
    remark("the service runs; `mlxr service status` and `mlxr service logs` show it")
    for hint in chosen.hints():
        remark(hint)


def uninstall(as_json: AsJson = False) -> None:
    """Stop the service and remove its file; models and configuration stay."""
    chosen = _installed()
    chosen.end()
    chosen.file.unlink(missing_ok=True)
    _did(chosen, as_json)
    remark(f"removed: {chosen.file}")


def start(as_json: AsJson = False) -> None:
    """Start the service."""
    chosen = _installed()
    chosen.start()
    _did(chosen, as_json)


def stop(as_json: AsJson = False) -> None:
    """Stop the service until it is started, or the next log-in; requests in flight get their time."""
    chosen = _installed()
    chosen.stop()
    _did(chosen, as_json)


def status(as_json: AsJson = False) -> None:
    """Show whether it runs; exit status 1 where it does not."""
    chosen = _installed()
    facts = {"service": chosen.name, "file": str(chosen.file), **chosen.facts()}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts.items())
        for hint in chosen.hints():
            remark(hint)
    if not chosen.running():
        raise typer.Exit(1)


def logs(context: typer.Context) -> None:
    """Show its log: `mlxr logs`, and what that takes."""
    mlxr = _program()
    os.execv(mlxr, [mlxr, "logs", *context.args])


def _did(chosen: managers.Manager, as_json: bool) -> None:
    if as_json:
        print_json({"service": chosen.name, "file": str(chosen.file)})


def _installed() -> managers.Manager:
    from mlxr.cli.service import managers

    chosen = managers.manager()
    if not chosen.file.exists():
        raise StartError("the service is not installed; `mlxr service install` does it")
    return chosen


def _put(file: Path, text: str) -> bool:
    """Writes the manager's file; returns whether that changed anything."""
    try:
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return False
        write_whole(file, text, 0o644)
    except OSError as error:
        raise StartError(f"can't write {file}: {error.strerror}") from error
    return True


def _program() -> str:
    """The installed command of this very environment."""
    beside = Path(sys.executable).with_name("mlxr")
    return str(beside if beside.exists() else Path(sys.argv[0]).absolute())


def _drain(home: Home) -> float:
    from mlxr.cli.configuration import configuration_file
    from mlxr.runtime.config import load
    from mlxr.server.config import Config

    return load(Config, configuration_file(None, home)).server.drain_seconds


def _warn_of_variables() -> None:
    from mlxr.runtime.config import RESERVED

    own = [name for name in sorted(os.environ) if name.startswith("MLXR_") and name not in RESERVED]
    if own:
        remark(f"the service does not see {', '.join(own)}; `mlxr config set` keeps settings for it")
