"""The commands of a chat, which begin with a slash: Ollama's, and a few more."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mlxr.cli.client.client import ServerError
from mlxr.cli.completion import model_names
from mlxr.cli.printing import remark, terminal_width
from mlxr.cli.run.chat import Chat, say
from mlxr.cli.run.connection import for_server
from mlxr.cli.run.model_facts import model_facts, warn_of_context
from mlxr.cli.run.settings import PARAMETERS, given_format, given_keep_alive, given_think, parameter
from mlxr.cli.run.slash_help import HELP, SET, SHORTCUTS, SHOW, fitted
from mlxr.runtime.config import did_you_mean
from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.printable import printable

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
        topics = {"set": SET, "show": SHOW, "shortcut": SHORTCUTS, "shortcuts": SHORTCUTS}
        _say_fitted(topics.get(rest.lstrip("/"), HELP))

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
            chat.settings = replace(chat.settings, keep_alive=given_keep_alive(value) if value else None)
            say(f"Set 'keepalive' to '{value or 'default'}'.")
        elif what:
            say(printable(f"Unknown command '/set {what}'. {_nearest(what, SETTINGS, '/set {}')}"))
        else:
            _say_fitted(SET)

    async def _set_parameter(self, text: str) -> None:
        name, *values = words(text)
        settings = self._chat.settings
        if not name:
            names = [f"  /set parameter {key} <{kind}>" for key, (kind, _) in PARAMETERS.items()]
            width = max(map(len, names))
            abouts = [about for _, about in PARAMETERS.values()]
            lines = [f"{name:<{width}}  {about}" for name, about in zip(names, abouts, strict=True)]
            _say_fitted("\n".join(["Available parameters:", *lines]))
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
            if what:
                say(printable(f"Unknown command '/show {what}'. {_nearest(what, FACTS, '/show {}')}"))
            else:
                _say_fitted(SHOW)
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


def _say_fitted(text: str) -> None:
    say(fitted(text, terminal_width(sys.stderr)))


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
