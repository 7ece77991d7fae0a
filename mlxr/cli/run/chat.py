"""A chat's state, and what each line that is typed does to it."""

from __future__ import annotations

import asyncio
import signal
import sys
import termios
from collections.abc import Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

from mlxr.cli.client.client import ServerError, ServerGone
from mlxr.cli.printing import is_terminal, remark
from mlxr.cli.run.answer import SHORTENED, Answer
from mlxr.cli.run.connection import Connection
from mlxr.cli.run.conversation import Conversation
from mlxr.cli.run.settings import ChatSettings
from mlxr.cli.run.writer import AnswerWriter
from mlxr.runtime.errors import MlxrError


class Chat:
    """Owns the model, the conversation and the settings. Everything that can go wrong with an answer is said, and the
    chat goes on."""

    def __init__(self, connection: Connection, model: str, settings: ChatSettings) -> None:
        self.connection = connection
        self.conversation = Conversation(model)
        self.settings = settings

    @property
    def model(self) -> str:
        return self.conversation.model

    async def ask(self, text: str) -> None:
        """Sends ``text`` and shows the answer, which Ctrl-C stops. Where there is none, the question is taken back."""
        self.conversation.ask(text)
        answer = Answer(self.connection, self.conversation, self.settings)
        try:
            with unechoed():
                whole = await interruptible(show(answer, self.settings))
        except MlxrError as error:
            self.conversation.take_back()
            self._explain(error)
            return
        if not whole:
            say("(stopped)")
        if answer.text or answer.thinking:
            self.conversation.answered(answer.text, answer.thinking)
        else:
            self.conversation.take_back()

    def _explain(self, error: MlxrError) -> None:
        if isinstance(error, ServerGone):
            remark(f"{error}; the conversation is kept: send the message again (arrow up) to go on with a new one")
        elif isinstance(error, ServerError) and "context length" in str(error):
            remark(f"{error}; /clear begins anew")
        else:
            remark(str(error))

    async def regenerate(self) -> None:
        """Has the last question answered anew."""
        question = self.conversation.take_back()
        if question is None:
            say("There is nothing to answer anew yet.")
        else:
            await self.ask(question)


async def show(answer: Answer, settings: ChatSettings) -> None:
    """Writes an answer to stdout as it comes, and behind it what there is to say of it. Raises ``MlxrError``."""
    writer = AnswerWriter(settings)
    try:
        async with answer.waiting() as spinner, aclosing(answer.pieces()) as pieces:
            async for kind, text in pieces:
                spinner.stop()
                writer.piece(kind, text)
    finally:
        writer.end()
    if answer.shortened:
        remark(SHORTENED)
    if ended := answer.ended_by():
        remark(ended)
    if settings.verbose and answer.figures is not None:
        print("\n" + "\n".join(answer.figures.lines()), file=sys.stderr)


@contextmanager
def unechoed() -> Iterator[None]:
    """What is typed meanwhile does not show among what is written; it is there for the next message."""
    if not is_terminal(sys.stdin):
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def interruptible(work: Coroutine[Any, Any, None]) -> bool:
    """Runs ``work``; Ctrl-C cancels that and nothing else. Returns whether it came to its end."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return False
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return True


def say(text: str) -> None:
    """Something of ours between messages; on stderr, so that stdout has answers alone."""
    print(text, file=sys.stderr, flush=True)
