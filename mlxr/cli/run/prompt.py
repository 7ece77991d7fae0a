"""The line that people type in: editing keys, several lines, completion of commands, and what was typed before."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, create_output

from mlxr.cli.printing import is_terminal
from mlxr.cli.run.slash import offered
from mlxr.runtime.paths import Home

PROMPT, MORE = ">>> ", "... "
QUOTES = '"""'


class Prompt:
    """Reads messages from the terminal, and keeps what was typed in ``home``, readable by its owner alone."""

    def __init__(self, home: Home, remember: bool) -> None:
        self._history = _history(home) if remember else InMemoryHistory()
        self._home = home
        plain = bool(os.environ.get("NO_COLOR"))
        self._session: PromptSession[str] = PromptSession(
            message=FormattedText([("" if plain else "ansigreen", PROMPT)]),
            placeholder=_placeholder,
            history=self._history,
            multiline=True,
            prompt_continuation=lambda width, number, wraps: "" if wraps else MORE,
            completer=SlashCompleter(),
            complete_while_typing=Condition(self._is_command),
            reserve_space_for_menu=4,
            enable_open_in_editor=True,
            tempfile_suffix=".md",
            key_bindings=_keys(),
            color_depth=ColorDepth.DEPTH_1_BIT if plain else None,
            output=create_output(stdout=sys.stdout if is_terminal(sys.stdout) else sys.stderr),
        )

    async def read(self) -> str:
        """The next message, without the quotes around several lines. Raises ``EOFError`` where there are no more, and
        ``KeyboardInterrupt`` where it was thrown away."""
        return await self._session.prompt_async()

    @property
    def typed(self) -> str:
        """What stood there when it was thrown away."""
        return self._session.default_buffer.text

    def remember(self, wanted: bool) -> None:
        self._session.history = self._history = _history(self._home) if wanted else InMemoryHistory()
        self._session.default_buffer.history = self._history

    def _is_command(self) -> bool:
        return self._session.default_buffer.text.startswith("/")


def _placeholder() -> FormattedText:
    """Stands where nothing is typed yet, and goes when that is over."""
    return FormattedText([] if get_app().is_done else [("ansibrightblack", "Send a message (/? for help)")])


class SlashCompleter(Completer):
    """Offers commands, and what follows them."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        if not line.startswith("/") or "\n" in line:
            return
        begun = len(line) - (line.rfind(" ") + 1)
        for word in offered(line):
            yield Completion(word, start_position=-begun)


def is_unfinished(text: str) -> bool:
    """Tells whether a message of several lines has begun and not ended: three quotes open it, and three end it."""
    opened = text.find(QUOTES)
    before = text[:opened].strip()
    if opened < 0 or (before and not before.startswith("/set system")):
        return False
    inner = text[opened + len(QUOTES) :]
    return not inner.rstrip().endswith(QUOTES)


def message_of(text: str) -> str:
    """Returns the message without the quotes around several lines."""
    stripped = text.strip()
    if stripped.startswith(QUOTES):
        return stripped.removeprefix(QUOTES).removesuffix(QUOTES).strip("\n")
    return text


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            buffer.complete_state = None
        elif is_unfinished(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("tab")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        line = buffer.document.text_before_cursor
        if not line.startswith("/"):
            buffer.insert_text("    ")
        elif buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_next()
        elif len(words := offered(line)) == 1:
            begun = line.rpartition(" ")[2] if " " in line else line
            buffer.insert_text(words[0][len(begun) :] + " ")
        else:
            buffer.start_completion(select_first=True)

    @keys.add("c-g")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.open_in_editor()

    return keys


def _history(home: Home) -> History:
    """A file that is its owner's alone; memory where there can be none."""
    try:
        os.close(os.open(home.history, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        os.chmod(home.history, 0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(home.history))
