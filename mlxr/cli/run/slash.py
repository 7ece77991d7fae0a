"""The commands of a chat, which begin with a slash: Ollama's, and a few more."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mlxr.cli.client.client import ServerError
from mlxr.cli.completion import model_names
from mlxr.cli.printing import remark
from mlxr.cli.run.chat import Chat, say
from mlxr.cli.run.connection import for_server
from mlxr.cli.run.model_facts import model_facts, warn_of_context
from mlxr.cli.run.settings import PARAMETERS, given_format, given_think, parameter
from mlxr.runtime.config import did_you_mean
from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.printable import printable

HELP = """\
Available commands:
  /set               Set what holds for answers to come
  /show              Show what the model is
  /load MODEL        Go on with another model, from the beginning
  /save MODEL        Make a model of this one, its settings and this conversation
  /regenerate        Answer the last message anew
  /clear             Begin the conversation anew
  /list              List the models that are here
  /bye               Leave (also: Ctrl-D)
  /?, /help          This list; /? set, /? show and /? shortcuts say more

Use \"\"\" to begin and end a message of several lines, or Alt-Enter within one."""

SET = """\
Available settings:
  /set parameter NAME VALUE   Set an option of the model (/set parameter lists them)
  /set system TEXT            Set the system prompt
  /set format json            Answers are JSON; or /set format SCHEMA, a JSON schema or a file with one
  /set noformat               Answers are text
  /set think [LEVEL]          Reason before answering: low, medium, high
  /set nothink                Answer without reasoning
  /set verbose, /set quiet    Show figures behind each answer, or don't
  /set wordwrap, nowordwrap   Break lines between words, or don't
  /set markdown, nomarkdown   Show Markdown as styles, or as it is
  /set history, nohistory     Remember what is typed, or don't
  /set keepalive DURATION     How long the model stays loaded after an answer: 10m, 0, -1"""

SHOW = """\
Available facts:
  /show info         What the model is
  /show license      Its license
  /show modelfile    A Modelfile that would make it
  /show parameters   Its parameters, and those of this chat
  /show system       The system prompt
  /show template     The prompt template"""

SHORTCUTS = """\
Available shortcuts:
  Ctrl-A, Ctrl-E     To the beginning, or the end, of the line
  Alt-B, Alt-F       A word back, or forward
  Ctrl-K, Ctrl-U     Delete what is behind, or before, the cursor
  Ctrl-W             Delete the word before the cursor
  Ctrl-R             Search what was typed before
  Ctrl-L             Clear the screen
  Ctrl-G             Write the message in $EDITOR
  Alt-Enter          A line more in this message
  Ctrl-C             Stop the answer, or forget what is typed
  Ctrl-D             Leave (/bye)"""

SWITCHES: dict[str, tuple[dict[str, Any], str]] = {
    "verbose": ({"verbose": True}, "Set 'verbose' mode."),
    "quiet": ({"verbose": False}, "Set 'quiet' mode."),
    "wordwrap": ({"wordwrap": True}, "Set 'wordwrap' mode."),
    "nowordwrap": ({"wordwrap": False}, "Set 'nowordwrap' mode."),
    "markdown": ({"markdown": True}, "Set 'markdown' mode."),
    "nomarkdown": ({"markdown": False}, "Set 'nomarkdown' mode."),
    "noformat": ({"format": None}, "Disabled format."),
    "nothink": ({"think": False}, "Set 'nothink' mode."),
}
"""``/set`` of one word: what it sets, and what is said."""

SETTINGS = ("parameter", "system", "format", "think", "keepalive", "history", "nohistory", *SWITCHES)
FACTS = ("info", "license", "modelfile", "parameters", "system", "template")
NAMES = (
    "/set", "/show", "/load", "/save", "/regenerate", "/retry", "/clear", "/list", "/ls", "/bye", "/exit", "/quit",
    "/help", "/?",
)  # fmt: skip


class Leave(Exception):  # noqa: N818  (no error)
    """The chat is over."""


class SlashCommands:
    """Carries out lines that begin with a slash. ``remember``: switches the history on and off."""

    def __init__(self, chat: Chat, remember: Callable[[bool], None]) -> None:
        self._chat = chat
        self._remember = remember
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/set": self._set,
            "/show": self._show,
            "/load": self._load,
            "/save": self._save,
            "/regenerate": self._regenerate,
            "/retry": self._regenerate,
            "/clear": self._clear,
            "/list": self._list,
            "/ls": self._list,
            "/bye": self._leave,
            "/exit": self._leave,
            "/quit": self._leave,
            "/help": self._help,
            "/?": self._help,
        }

    async def run(self, line: str) -> None:
        """Raises ``Leave`` to end the chat. What is wrong with the line is said."""
        name, _, rest = line.strip().partition(" ")
        command = self._commands.get(name)
        if command is None:
            say(printable(f"Unknown command '{name}'. {_nearest(name, NAMES, '{}')}"))
            return
        try:
            await command(rest.strip())
        except MlxrError as error:
            remark(str(error))

    async def _leave(self, rest: str) -> None:
        raise Leave

    async def _help(self, rest: str) -> None:
        say({"set": SET, "show": SHOW, "shortcut": SHORTCUTS, "shortcuts": SHORTCUTS}.get(rest.lstrip("/"), HELP))

    async def _clear(self, rest: str) -> None:
        self._chat.conversation.clear()
        say("Cleared session context")

    async def _regenerate(self, rest: str) -> None:
        await self._chat.regenerate()

    async def _list(self, rest: str) -> None:
        tags = (await (await self._chat.connection.client()).get("/api/tags"))["models"]
        say("\n".join(printable(tag["name"]) for tag in tags) or "There are no models here.")

    async def _load(self, rest: str) -> None:
        if not rest:
            say("Usage: /load MODEL")
            return
        model = for_server(rest)
        try:
            await self._chat.connection.show(model)
            say(printable(f"Loading model '{rest}'"))
            await self._chat.connection.load(model, self._chat.settings.keep_alive)
        except ServerError as error:
            if error.status != 404:
                raise
            say(printable(f"Couldn't find model '{rest}'; `mlxr pull` fetches one"))
            return
        self._chat.conversation.model = model
        self._chat.conversation.clear()

    async def _save(self, rest: str) -> None:
        if not rest or " " in rest:
            say("Usage: /save MODEL")
            return
        body = self._chat.conversation.model_of_it(rest, self._chat.settings)
        async for _ in self._chat.connection.lines("/api/create", body):
            pass
        say(printable(f"Created new model '{rest}'"))

    async def _set(self, rest: str) -> None:
        what, _, value = rest.partition(" ")
        value = value.strip()
        chat = self._chat
        if what in SWITCHES:
            changes, said = SWITCHES[what]
            chat.settings = replace(chat.settings, **changes)
            say(said)
        elif what in ("history", "nohistory"):
            self._remember(what == "history")
            say(f"Set '{what}' mode.")
        elif what == "parameter":
            await self._set_parameter(value)
        elif what == "system":
            chat.settings = replace(chat.settings, system=unquoted(value))
            say("Set system message." if value else "Unset system message.")
        elif what == "format":
            if not value:
                raise ConfigError("name a format: /set format json, or a JSON schema, or a file with one")
            chat.settings = replace(chat.settings, format=given_format(value))
            say(f"Set format to '{value}' mode." if value == "json" else "Set format to a JSON schema.")
        elif what == "think":
            chat.settings = replace(chat.settings, think=given_think(value or "true"))
            say(f"Set 'think' mode to '{value}'." if value else "Set 'think' mode.")
        elif what == "keepalive":
            chat.settings = replace(chat.settings, keep_alive=value or None)
            say(f"Set 'keepalive' to '{value or 'default'}'.")
        elif what:
            say(printable(f"Unknown command '/set {what}'. {_nearest(what, SETTINGS, '/set {}')}"))
        else:
            say(SET)

    async def _set_parameter(self, text: str) -> None:
        name, *values = words(text)
        settings = self._chat.settings
        if not name:
            lines = [f"  /set parameter {key} <{kind}>" for key, (kind, _) in PARAMETERS.items()]
            width = max(map(len, lines))
            abouts = [about for _, about in PARAMETERS.values()]
            say("\n".join(["Available parameters:", *_columns(lines, abouts, width)]))
        elif not values:
            parameter(name, ["0"])
            self._chat.settings = settings.without_option(name)
            say(f"Unset parameter '{name}'")
        else:
            self._chat.settings = settings.with_option(name, parameter(name, values))
            say(printable(f"Set parameter '{name}' to '{', '.join(values)}'"))
            if name == "num_ctx":
                with suppress(MlxrError):
                    shown = await self._chat.connection.show(self._chat.model)
                    warn_of_context(self._chat.settings, shown, self._chat.model)

    async def _show(self, what: str) -> None:
        if what not in FACTS:
            near = _nearest(what, FACTS, "/show {}")
            say(printable(f"Unknown command '/show {what}'. {near}") if what else SHOW)
            return
        shown = await self._chat.connection.show(self._chat.model)
        settings = self._chat.settings
        if what == "info":
            facts = model_facts(shown)
            width = max(len(name) for name, _ in facts)
            say("\n".join(printable(f"  {name:<{width}}  {value}") for name, value in facts))
        elif what == "parameters":
            say("Model defined parameters:")
            defined = shown["parameters"] or "No additional parameters were specified for this model."
            say("\n".join(f"  {printable(line)}" for line in defined.splitlines()))
            if settings.options:
                say("\nUser defined parameters:")
                say("\n".join(printable(f"  {name:<30} {value}") for name, value in settings.options.items()))
        elif what == "system":
            _say_text(settings.system or shown["system"], "No system message was specified for this model.")
        else:
            missing = {"license": "license", "modelfile": "modelfile", "template": "prompt template"}[what]
            _say_text(shown[what], f"No {missing} was specified for this model.")


def unquoted(text: str) -> str:
    """Returns a text without the quotes around it: three of them, or a pair."""
    for quote in ('"""', '"', "'"):
        if len(text) >= 2 * len(quote) and text.startswith(quote) and text.endswith(quote):
            return text[len(quote) : -len(quote)]
    return text


def words(text: str) -> list[str]:
    """Returns the words of a line, quoted ones whole; at least one, '' if there are none."""
    try:
        return shlex.split(text) or [""]
    except ValueError:
        return text.split()


def _nearest(name: str, known: Iterable[str], spelled: str) -> str:
    near = did_you_mean(name, known, spelled)
    return near[:1].upper() + near[1:] if near else "Type /? for help"


def _say_text(text: str, otherwise: str) -> None:
    say(printable(text, keep="\n\t") if text else otherwise)


def _columns(lefts: Iterable[str], rights: Iterable[str], width: int) -> list[str]:
    return [f"{left:<{width}}  {right}" for left, right in zip(lefts, rights, strict=True)]


def offered(line: str) -> list[str]:
    """Returns what a half-typed command may go on with: each a whole word at its end."""
    name, space, rest = line.partition(" ")
    if not space:
        return [each for each in NAMES if each.startswith(name)]
    first, another, second = rest.partition(" ")
    if name == "/set":
        if not another:
            return [each for each in SETTINGS if each.startswith(first)]
        if first == "parameter" and " " not in second:
            return [each for each in PARAMETERS if each.startswith(second)]
        if first == "format":
            return [each for each in ("json",) if each.startswith(second)]
        return []
    if another:
        return []
    choices: Iterable[str] = {
        "/show": FACTS,
        "/help": ("set", "show", "shortcuts"),
        "/?": ("set", "show", "shortcuts"),
    }.get(name, ())
    if name == "/load":
        choices = model_names()
    return [each for each in choices if each.startswith(first)]
