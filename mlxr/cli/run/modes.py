"""The ways to run a model: a chat, one prompt, and one prompt for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from mlxr.actors.registry.progress import Progress
from mlxr.cli.printing import print_json_line, remark
from mlxr.cli.run.answer import SHORTENED, Answer
from mlxr.cli.run.chat import Chat, say, show
from mlxr.cli.run.connection import Connection
from mlxr.cli.run.conversation import Conversation
from mlxr.cli.run.model_facts import warn_of_context
from mlxr.cli.run.settings import ChatSettings
from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.paths import Home

_IMAGE_END = re.compile(r"\.(?:png|jpe?g|webp|gif)\b", re.IGNORECASE)


async def chat(connection: Connection, model: str, settings: ChatSettings, remember: bool) -> None:
    """Talks with people until they leave."""
    # prompt_toolkit is for chats alone, and takes a while to load.
    from mlxr.cli.run.prompt import Prompt, message_of
    from mlxr.cli.run.slash import Leave, SlashCommands

    await connection.load(model, settings.keep_alive)
    state, prompt = Chat(connection, model, settings), Prompt(Home.find(), remember)
    commands = SlashCommands(state, prompt.remember)
    while True:
        try:
            line = await prompt.read()
        except EOFError:
            return
        except KeyboardInterrupt:
            if not prompt.typed:
                say("Use Ctrl-D or /bye to leave.")
            continue
        if not line.strip():
            continue
        if line.startswith("/"):
            try:
                await commands.run(line)
            except Leave:
                return
            continue
        message = message_of(line)
        warn_of_images(message)
        await state.ask(message)
        say("")


async def once(connection: Connection, model: str, prompt: str, settings: ChatSettings) -> None:
    """Answers one prompt on stdout. Raises ``MlxrError``."""
    warn_of_images(prompt)
    conversation = Conversation(model)
    conversation.ask(prompt)
    await show(Answer(connection, conversation, settings), settings)


async def embed(connection: Connection, model: str, prompt: str, settings: ChatSettings, as_json: bool) -> None:
    """Prints the vector of a text, as Ollama does."""
    body: dict[str, Any] = {"model": model, "input": prompt}
    if settings.options:
        body["options"] = settings.options
    if settings.dimensions is not None:
        body["dimensions"] = settings.dimensions
    if settings.keep_alive is not None:
        body["keep_alive"] = settings.keep_alive
    answer = await connection.post("/api/embed", body)
    (vector,) = answer["embeddings"]
    if as_json:
        print_json_line({"event": "embedding", "embedding": vector, "prompt_tokens": answer["prompt_eval_count"]})
    else:
        print(json.dumps(vector))


async def events(connection: Connection, model: str, prompt: str, settings: ChatSettings) -> None:
    """Answers one prompt by JSON lines, an event each. Raises ``MlxrError``."""
    conversation = Conversation(model)
    conversation.ask(prompt)
    answer = Answer(connection, conversation, settings)
    async with aclosing(answer.pieces()) as pieces:
        async for kind, text in pieces:
            print_json_line({"event": kind, "text": text})
    if answer.shortened:
        print_json_line({"event": "remark", "text": SHORTENED})
    figures = answer.figures.plain() if answer.figures else {}
    print_json_line({"event": "done", "model": model, "text": answer.text, "thinking": answer.thinking, **figures})


def pull_events(progress: Progress) -> None:
    """Reports a pull by JSON lines."""
    known = {"total": progress.total, "completed": progress.completed} if progress.total else {}
    print_json_line({"event": "pull", "status": progress.status, **known})


async def run_model(
    connection: Connection,
    model: str,
    prompt: str | None,
    settings: ChatSettings,
    *,
    as_json: bool,
    remember: bool,
) -> None:
    """Runs ``model`` in the way that it, the prompt and the streams ask for. Raises ``MlxrError``."""
    report: Callable[[Progress], None] | None = pull_events if as_json else None
    shown = await connection.obtained(model, report)
    capabilities = shown["capabilities"]
    warn_of_context(settings, shown, model)
    if "completion" in capabilities:
        if prompt is None:
            await chat(connection, model, settings, remember)
        elif as_json:
            await events(connection, model, prompt, settings)
        else:
            await once(connection, model, prompt, settings)
    elif "embedding" in capabilities:
        if prompt is None:
            raise ConfigError(f'{model} makes embeddings of texts; give it one: mlxr run {model} "a text"')
        await embed(connection, model, prompt, settings, as_json)
    else:
        what = ", ".join(capabilities) or "nothing that can be run"
        raise MlxrError(f"{model} has no conversations: it is for {what}; the API has routes for that (/docs)")


def warn_of_images(text: str) -> None:
    """Says so where a message names a picture that is here: nothing is sent of it but its name."""
    # Word by word, and from the ends that they have: a pattern of both takes hours for one word of megabytes.
    for word in text.split():
        *_, end = (0, *(match.end() for match in _IMAGE_END.finditer(word, 1)))
        if not end:
            continue
        name = word[:end]
        try:
            there = Path(name).expanduser().is_file()
        except (OSError, RuntimeError):
            continue
        if there:
            remark(f"{name} is a picture, which no model here can see; only its name is sent")


def piped_text() -> str:
    """What comes from a pipe or a file on stdin; '' from a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode(errors="replace")
