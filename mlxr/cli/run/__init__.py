"""``mlxr run``: a chat in the terminal, or one prompt and its answer.

The command is told here; ``mlxr.cli.run.modes`` does the work. It is imported where it is needed, since it brings along
what other commands do without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from mlxr.cli.options import Endpoint, ModelToFetch
from mlxr.cli.run.settings import (
    PARAMETERS,
    ChatSettings,
    checked,
    given_format,
    given_keep_alive,
    given_think,
    parameter,
)
from mlxr.cli.verbs import Task, Verb, add_verb
from mlxr.runtime.errors import ConfigError

EXAMPLES = [
    ("mlxr run smollm2", "a chat; /? shows what it can do"),
    ('mlxr run smollm2 "Why is the sky blue?"', "one answer"),
    ('cat notes.txt | mlxr run smollm2 "Summarise this:" > summary.txt', "in a pipe"),
    ('mlxr run smollm2 --format json --temperature 0 "Three colours, as JSON"', "for a program"),
]

SAMPLING = "Sampling"


class RunVerb(Verb):
    """``--think`` may stand alone, or have a level behind an equals sign, as Ollama's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, ["--think=true" if arg == "--think" else arg for arg in args[:end]] + args[end:])


def register(app: typer.Typer) -> None:
    add_verb(app, "run", run, Task.CHAT, EXAMPLES, aliases=["chat"], cls=RunVerb)


def _sampled(help: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=SAMPLING)


def run(
    model: ModelToFetch,
    prompt: Annotated[
        list[str] | None, typer.Argument(metavar="[PROMPT]...", help="What to ask; a chat if none.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system prompt, in place of the model's own.")] = None,
    format: Annotated[
        str | None, typer.Option(help='"json", a JSON schema, or a file with one: what answers have to be.')
    ] = None,
    think: Annotated[
        str | None, typer.Option(metavar="[=LEVEL]", help="Reason first; =low, =medium, =high, or =false for not.")
    ] = None,
    hide_thinking: Annotated[bool, typer.Option("--hidethinking", help="Don't show the reasoning.")] = False,
    keep_alive: Annotated[
        str | None, typer.Option("--keepalive", metavar="DURATION", help="How long the model stays loaded: 10m, 0, -1.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show speed, time to the first token, and counts.")
    ] = False,
    no_wordwrap: Annotated[bool, typer.Option("--nowordwrap", help="Don't break lines between words.")] = False,
    no_markdown: Annotated[bool, typer.Option("--nomarkdown", help="Show Markdown as it is written.")] = False,
    no_history: Annotated[bool, typer.Option("--nohistory", help="Don't remember what is typed.")] = False,
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Of an embedding model: so many numbers of the vector.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Where the model is pulled, speak to the registry without TLS.")
    ] = False,
    temperature: Annotated[float | None, _sampled(PARAMETERS["temperature"][1], "--temperature", "--temp")] = None,
    top_k: Annotated[int | None, _sampled(PARAMETERS["top_k"][1])] = None,
    top_p: Annotated[float | None, _sampled(PARAMETERS["top_p"][1])] = None,
    min_p: Annotated[float | None, _sampled(PARAMETERS["min_p"][1])] = None,
    seed: Annotated[int | None, _sampled(PARAMETERS["seed"][1])] = None,
    num_predict: Annotated[
        int | None, _sampled(PARAMETERS["num_predict"][1], "--num-predict", "--max-tokens", "-n")
    ] = None,
    num_ctx: Annotated[int | None, _sampled(PARAMETERS["num_ctx"][1], "--num-ctx", "--ctx-size", "-c")] = None,
    stop: Annotated[list[str] | None, _sampled("A text that ends the answer; repeat for several.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            help=f"Any of {', '.join(PARAMETERS)}.",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as JSON, one a line.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Chat with a model, or have one prompt answered (also: mlxr chat).

    A model that is not here is pulled first. What is piped in goes before the prompt. The server that runs here is
    asked, else one is started in the background, which ends by itself once the model is unloaded.
    """
    given = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "seed": seed,
        "num_predict": num_predict,
        "num_ctx": num_ctx,
        "stop": stop or None,
    }
    options = {name: checked(name, value) for name, value in given.items() if value is not None}
    for text in option or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--option {text}: write it as NAME=VALUE, such as temperature=0.5")
        options[name] = parameter(name, [value])
    settings = ChatSettings(
        options=options,
        system=system or "",
        format=given_format(format) if format is not None else None,
        keep_alive=given_keep_alive(keep_alive) if keep_alive is not None else None,
        verbose=verbose,
        wordwrap=not no_wordwrap,
        markdown=not no_markdown,
        show_thinking=not hide_thinking,
        dimensions=dimensions,
    )
    if think is not None:
        settings = replace(settings, think=given_think(think))

    from mlxr.cli import interruptible
    from mlxr.cli.run.connection import Connection, for_server
    from mlxr.cli.run.modes import piped_text, run_model

    texts = [text for text in (piped_text(), *(prompt or [])) if text]
    whole = " ".join(texts) if texts else None
    if whole is None and (as_json or not _can_chat()):
        raise ConfigError(f'there is nothing to answer; give a prompt: mlxr run {model} "..."')

    async def work() -> None:
        async with Connection(endpoint, insecure) as connection:
            await run_model(connection, for_server(model), whole, settings, as_json=as_json, remember=not no_history)

    interruptible.run(work)


def _can_chat() -> bool:
    """Whether there is somebody to type, and a screen to show it on."""
    import sys

    from mlxr.cli.printing import is_terminal

    return is_terminal(sys.stdin) and (is_terminal(sys.stdout) or is_terminal(sys.stderr))
