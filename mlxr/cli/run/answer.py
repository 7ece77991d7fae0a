"""One answer: asked for, and read as it comes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from mlxr.cli.client.client import ServerError
from mlxr.cli.run.connection import Connection
from mlxr.cli.run.conversation import Conversation
from mlxr.cli.run.settings import ChatSettings
from mlxr.cli.run.spinner import Spinner
from mlxr.cli.run.statistics import Figures

TOO_LONG = "exceeds the context length"
"""What a server says of a prompt that its model's context has no room for."""

SHORTENED = (
    "the conversation is longer than the context; what does not fit is left out of this answer, the oldest first "
    "(/clear begins anew)"
)


class Answer:
    """Reads the answer to a conversation's last turn. What has come so far is kept, however it ends.

    text, thinking: what the model has written.
    shortened: whether old turns had to be left out.
    figures: once it is complete.
    """

    def __init__(self, connection: Connection, conversation: Conversation, settings: ChatSettings) -> None:
        self._connection = connection
        self._conversation = conversation
        self._settings = settings
        self.text = ""
        self.thinking = ""
        self.shortened = False
        self.figures: Figures | None = None

    async def pieces(self) -> AsyncGenerator[tuple[str, str], None]:
        """Pieces as they come: "thinking" or "text", and what was written. Leaving early ends the answer on the
        server. Raises ``ServerError`` and ``ServerGone``."""
        load_seconds = await self._connection.load(self._conversation.model, self._settings.keep_alive)
        began, first = time.monotonic(), None
        async with aclosing(self._lines()) as lines:
            async for line in lines:
                message = line.get("message") or {}
                for kind, piece in (("thinking", message.get("thinking")), ("text", message.get("content"))):
                    if piece:
                        first = time.monotonic() - began if first is None else first
                        yield self._take(kind, piece)
                if line.get("done"):
                    self.figures = Figures(line, first, load_seconds)

    def waiting(self) -> AbstractAsyncContextManager[Spinner]:
        """Shows that it is being waited for, until the spinner is stopped."""
        return self._connection.waiting("")

    def _take(self, kind: str, piece: str) -> tuple[str, str]:
        if kind == "text":
            self.text += piece
        else:
            self.thinking += piece
        return kind, piece

    async def _lines(self) -> AsyncGenerator[dict[str, Any], None]:
        """The answer's lines. Turns are not left out unnoticed: that is allowed only where it must be."""
        for truncate in (False, True):
            body = self._conversation.request(self._settings, truncate)
            try:
                async with aclosing(self._connection.lines("/api/chat", body)) as lines:
                    async for line in lines:
                        yield line
                return
            except ServerError as error:
                if truncate or TOO_LONG not in str(error) or len(self._conversation.turns) < 2:
                    raise
                self.shortened = True

    def ended_by(self) -> str:
        """Why the answer ends where it does, in words; '' where the model had said all."""
        if self.figures is None or self.figures.last.get("done_reason") != "length":
            return ""
        last, most = self.figures.last, self._settings.options.get("num_predict") or -1
        tokens = last.get("eval_count", 0)
        if 0 < most <= tokens:
            return f"cut off after {tokens} tokens, which is num_predict (-n); a higher number lets answers go on"
        context = last.get("prompt_eval_count", 0) + tokens
        return (
            f"the context is full, at {context} tokens, and the answer ends there; /clear begins anew, and "
            "/set parameter num_ctx sets another length, up to the model's own"
        )
