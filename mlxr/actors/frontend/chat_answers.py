"""Answers of chats: each is a request like any client's, and the chats are told what becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import anyio
from msgspec.structs import replace

from mlxr.actors.frontend.chats import CHATS
from mlxr.actors.frontend.gateway import FrontendGateway
from mlxr.api.caller import CALLER, Caller
from mlxr.api.capabilities import require_reasoning
from mlxr.api.default_model import default_model
from mlxr.api.model_defaults import with_model_defaults, with_option_defaults
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.chats import AnswerDeltas, AnswerEnded, AnswerPrefill, AnswerStarted
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message, Usage
from mlxr.runtime.messages.frontend import Delta, PromptProgress, RunAnswer, StopAnswer
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate

log = logging.getLogger("mlxr.frontend")

STOPPED = ErrorInfo(ErrorCode.CANCELLED, "the answer was stopped")
CHANGED = "the model {!r} is another one than when the answer was begun; have it answer again"


class ChatAnswers:
    """Owns the answers that run for the chats. ``spawn``: that of the actor."""

    def __init__(
        self,
        gateway: FrontendGateway,
        tell: Callable[[Address, Message], None],
        spawn: Callable[..., None],
    ) -> None:
        self._gateway = gateway
        self._tell = tell
        self._spawn = spawn
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._requests: dict[int, int] = {}

    def run(self, message: RunAnswer) -> None:
        self._scopes[message.answer] = anyio.CancelScope()
        self._spawn(self._run, message)

    def stop(self, message: StopAnswer) -> None:
        if (scope := self._scopes.get(message.answer)) is not None:
            scope.cancel()

    def stop_all(self) -> None:
        for scope in self._scopes.values():
            scope.cancel()

    def on_progress(self, message: PromptProgress) -> None:
        if (answer := self._requests.get(message.request)) is not None:
            self._tell(CHATS, AnswerPrefill(answer, message.done, message.total))

    async def _run(self, message: RunAnswer) -> None:
        usage, error = Usage(), cast(ErrorInfo | None, STOPPED)
        CALLER.set(Caller(message.client, message.remote))
        try:
            with self._scopes[message.answer]:
                usage, error = await self._answer(message)
        finally:
            del self._scopes[message.answer]
            self._tell(CHATS, AnswerEnded(message.answer, usage, error))

    async def _answer(self, message: RunAnswer) -> tuple[Usage, ErrorInfo | None]:
        """Returns what it took, and why it failed."""
        answer, request = message.answer, 0
        try:
            await self._gateway.catalog_ready()
            model = message.model or default_model(self._gateway)
            entry = self._gateway.find(model)
            command = _settled(message, entry)
            if message.digest and entry is not None and entry.digest != message.digest:
                raise RequestError(ErrorInfo(ErrorCode.CONFLICT, CHANGED.format(model)))
            asked = replace(command, tracked=True)
            if entry is None or self._gateway.catalog.view.serving(entry.name) is None:
                self._tell(CHATS, AnswerPrefill(answer, 0, 0))
            async with self._gateway.generate(model, asked, surface="chat", keep_alive=message.keep_alive) as stream:
                request = stream.request
                self._requests[request] = answer
                started = await stream.started()
                prompt = TokenIds.of(started.tokens)
                digest, name = (entry.digest, entry.name) if entry is not None else ("", model)
                self._tell(CHATS, AnswerStarted(answer, command, prompt, digest, name, stream.load_seconds))

                def write(batch: list[Delta]) -> bool:
                    self._tell(CHATS, AnswerDeltas(answer, batch))
                    return True

                await stream.follow(write, _never_full)
                return stream.usage, None
        except RequestError as failure:
            return Usage(), failure.info
        except Exception as failure:
            log.exception("an answer of a chat failed")
            text = f"the server failed on this answer ({type(failure).__name__}); its log says more"
            return Usage(), ErrorInfo(ErrorCode.INTERNAL, text)
        finally:
            self._requests.pop(request, None)


def _settled(message: RunAnswer, entry: ModelEntry | None) -> Generate:
    """Returns the command with what the model brings of its own. Raises ``RequestError`` for what it can't do."""
    command = message.command
    if message.settled:
        return command
    if isinstance(command.prompt, ChatPrompt):
        require_reasoning(command.prompt.reasoning_effort, entry, "reasoning_effort")
        command = replace(command, prompt=with_model_defaults(command.prompt, entry))
    return with_option_defaults(command, SimpleNamespace(**message.given), entry)


async def _never_full() -> None:
    """The chats take everything at once."""
