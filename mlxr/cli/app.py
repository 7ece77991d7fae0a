"""All commands, and how they end."""

from __future__ import annotations

import difflib
import importlib
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

import mlxr
from mlxr.cli import other_tools
from mlxr.cli.printing import Remarks
from mlxr.cli.server_ahead import Server
from mlxr.cli.verbs import Everything
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.exit_status import exit_on_error, say
from mlxr.runtime.printable import printable_message

UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]
"""Wrong usage of any kind: Typer's own name for it is not public, but that of one of its subclasses is."""

EPILOG = """\
`mlxr help VERB` shows examples. What needs a server finds the one that runs here (or --endpoint, or MLXR_HOST), else \
starts one in the background, which ends by itself.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""


MODULES = (
    "run",
    "up",
    "ps",
    "launch",
    "models",
    "import_models",
    "gc",
    "create",
    "bench",
    "top",
    "convert",
    "quantize",
    "imatrix",
    "telemetry",
    "logs",
    "doctor",
    "config",
    "service",
    "completion_script",
    "help",
    "other_tools",
)
"""Where commands are, one module each, in the order in which help lists them."""

ALONE = {"up": ("up",), "serve": ("up",)}
"""Commands that are asked for by these names, and need no other: a server's start waits for nothing else."""


def make_app(modules: Sequence[str] = MODULES) -> typer.Typer:
    """The commands of ``modules``."""
    app = typer.Typer(
        name="mlxr",
        cls=Everything,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        epilog=EPILOG,
        context_settings={"help_option_names": ["--help", "-h"]},
        suggest_commands=False,
    )
    app.callback()(whole)
    for module in modules:
        importlib.import_module(f"mlxr.cli.{module}").register(app)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlxr {mlxr.__version__}")
        raise typer.Exit


def whole(
    version: Annotated[
        bool, typer.Option("--version", "-v", help="Print the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """A local LLM server: `mlxr run` chats with a model, `mlxr up` serves it to OpenAI, Ollama and Anthropic
    clients."""


def run(server: Server | None = None) -> None:
    """Carries out the command line and exits. ``server``: the one that it asks for, if that was begun ahead."""
    with exit_on_error():
        logging.getLogger("mlxr").addHandler(Remarks())
        alone = ALONE.get(sys.argv[1]) if len(sys.argv) > 1 else None
        app = make_app(alone) if alone is not None else make_app()
        try:
            status = app(standalone_mode=False, obj=server)
            sys.stdout.flush()
        except UsageError as error:
            if said := other_tools.instead(sys.argv[1:]):
                raise ConfigError(said) from None
            _explain(error)
            sys.exit(error.exit_code)
        except typer.Abort:
            raise KeyboardInterrupt from None
    sys.exit(status if isinstance(status, int) else 0)


def _of_value(error: typer.BadParameter) -> str:
    """What an option takes and was not given, in our words; '' where the error is about anything else."""
    problems: list[Any] = getattr(error.__cause__, "errors", list)()
    param = getattr(error, "param", None)
    if param is None or not problems or not (wanted := _wanted(problems[0])):
        return ""
    name = "/".join(param.opts) if param.param_type_name == "option" else param.metavar or param.name
    return f"{name} takes {wanted}, not {problems[0].get('input')!r}"


def _wanted(problem: Mapping[str, Any]) -> str:
    """What would have been right, of a problem as Pydantic tells it; '' for kinds that options here have not."""
    limits: Mapping[str, Any] = problem.get("ctx", {})
    match problem.get("type"):
        case "int_parsing" | "int_from_float":
            return "a whole number"
        case "float_parsing":
            return "a number"
        case "greater_than_equal":
            return f"{limits['ge']} or more"
        case "less_than_equal":
            return f"{limits['le']} or less"
        case "value_error" if choices := re.search(r"is not one of (.+)\.$", str(limits.get("error"))):
            return f"one of {choices[1]}"
        case _:
            return ""


def _explain(error: typer.BadParameter) -> None:
    """Wrong usage, in one line with the way out. Without any arguments the error is the help itself."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    said = _of_value(error) or error.format_message().rstrip(".")
    if unknown := re.fullmatch(r"No such command '(.*)'", said, re.DOTALL):
        path = error.ctx.command_path if error.ctx else "mlxr"
        commands = getattr(error.ctx.command, "commands", {}) if error.ctx else {}
        names = [name for name, command in commands.items() if not command.hidden]
        near = difflib.get_close_matches(unknown[1], names, 1)
        question = f"did you mean `{path} {near[0]}`? " if near else ""
        said, way_out = f"there is no command '{unknown[1]}'", f"{question}`{path} --help` lists them"
    else:
        path = error.ctx.command_path if error.ctx else "mlxr"
        way_out = f"`{path} --help` shows how it is used"
    say(f"{printable_message(' '.join(said.split()))}; {printable_message(way_out)}")
