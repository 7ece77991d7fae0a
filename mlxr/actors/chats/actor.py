"""The actor that owns chats. A shell: rooms do the work, and a file that can't be opened refuses it in words."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from mlxr.actors.chats.answer_writer import AnswerWriter
from mlxr.actors.chats.answers import Answers
from mlxr.actors.chats.chat_operations import ChatOperations
from mlxr.actors.chats.database import ChatsUnusable, Database
from mlxr.actors.chats.followers import Followers
from mlxr.actors.chats.library_operations import LibraryOperations
from mlxr.actors.chats.message_operations import MessageOperations
from mlxr.actors.chats.operations import OperationTable
from mlxr.actors.chats.search import Search
from mlxr.actors.chats.settings import ChatsSettings
from mlxr.actors.chats.state import LIST, ChatState
from mlxr.actors.chats.store import ChatStore
from mlxr.actors.chats.titles import Titles
from mlxr.actors.chats.transfer_operations import TransferOperations
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.chats import (
    AnswerDeltas,
    AnswerEnded,
    AnswerPrefill,
    AnswerStarted,
    AskChats,
    FollowChat,
    FrontendUp,
    LeaveChat,
)
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import ChatReply, ChatsUp
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.chats")

EPOCH_BITS = 36
"""Numbers of one life of the actor, so that a word about an answer of an earlier life means none of this one."""
PURGE_SECONDS = 30.0

FRONTEND = Address("frontend")


class ChatsActor(Actor):
    kind = "chats"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.settings: ChatsSettings = decode_settings(context, ChatsSettings)
        self._home = Home(Path(self.settings.home))
        self._followers = Followers(self._tell_frontend)
        self._ready = anyio.Event()
        """They are open and their unfinished answers go on, so that who follows one finds it, or they can't be used."""
        self._frontend_up = anyio.Event()
        self._wanted = anyio.Event()
        self._unusable: ErrorInfo | None = None
        self._database: Database | None = None
        self._state: ChatState
        self._writer: AnswerWriter
        self._answers: Answers
        self._titles: Titles
        self._chats: ChatOperations
        self._table: OperationTable
        self._first = context.epoch << EPOCH_BITS
        self._number = 1 << (EPOCH_BITS - 1) | self._first

    def _tell_frontend(self, message: Message) -> None:
        self.tell(FRONTEND, message)

    async def start(self) -> None:
        self.tell(FRONTEND, ChatsUp(restarted=self.context.epoch > 0))
        self.spawn(self._open)

    async def stop(self) -> None:
        if self._database is not None:
            await self._writer.flush()
            await self._database.close()

    async def _open(self) -> None:
        try:
            self._home.make()
            self._database = await Database.open(self._home.chats)
        except (ChatsUnusable, OSError) as error:
            text = (
                str(error) if isinstance(error, ChatsUnusable) else f"{self._home.root} can't be used: {error.strerror}"
            )
            log.error("%s; all else is served without chats", text)
            self._unusable = ErrorInfo(ErrorCode.UNAVAILABLE, text)
            self._ready.set()
            return
        self._furnish(self._database)
        self.spawn(self._writer.keep_flushing)
        self.spawn(self._keep_purging)
        if not self.settings.resume:
            await self._wanted.wait()
        await self._frontend_up.wait()
        try:
            await self._safely(self._resume)
        finally:
            self._ready.set()

    def _furnish(self, database: Database) -> None:
        section = self.settings.section
        state = self._state = ChatState(ChatStore(database), self._followers)
        self._titles = Titles(state, section, self._tell_frontend, self._next_number)
        self._writer = AnswerWriter(state)
        answers = self._answers = Answers(
            state, self._writer, self._titles, self._tell_frontend, self.spawn, self._first
        )
        chats = self._chats = ChatOperations(state, answers, section)
        messages = MessageOperations(state, answers)
        library = LibraryOperations(state, section)
        transfer = TransferOperations(state, library)
        self._table = OperationTable(
            {
                "list": chats.list,
                "create": chats.create,
                "get": chats.get,
                "patch": chats.patch,
                "delete": chats.delete,
                "restore": chats.restore,
                "send": messages.send,
                "again": messages.again,
                "continue": messages.go_on,
                "stop": messages.stop,
                "remove_message": messages.remove,
                "patch_call": messages.patch_call,
                "tool_results": messages.tool_results,
                "search": Search(state).search,
                "folders": library.folders,
                "create_folder": library.create_folder,
                "rename_folder": library.rename_folder,
                "delete_folder": library.delete_folder,
                "presets": library.presets,
                "create_preset": library.create_preset,
                "change_preset": library.change_preset,
                "delete_preset": library.delete_preset,
                "prompts": library.prompts,
                "create_prompt": library.create_prompt,
                "change_prompt": library.change_prompt,
                "delete_prompt": library.delete_prompt,
                "attach": library.attach,
                "attachment": library.attachment,
                "export": transfer.export,
                "import": transfer.import_chats,
            }
        )

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    async def _resume(self) -> None:
        async with self._state.turn:
            await self._answers.resume()

    async def _keep_purging(self) -> None:
        while True:
            await self._safely(self._chats.purge)
            await anyio.sleep(PURGE_SECONDS)

    async def _safely(self, work: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Does what nobody waits for; a disk that fails it must not end the actor."""
        try:
            await work(*arguments)
        except RequestError as error:
            log.error("%s", error)

    # What is asked.

    @on(AskChats)
    def ask(self, message: AskChats) -> None:
        self._wanted.set()
        self.spawn(self._ask, message)

    async def _ask(self, message: AskChats) -> None:
        await self._ready.wait()
        if self._unusable is not None:
            self.tell(FRONTEND, ChatReply(message.call, error=self._unusable))
            return
        try:
            reply = ChatReply(message.call, await self._table.run(message))
        except RequestError as error:
            reply = ChatReply(message.call, error=error.info)
        except Exception as error:
            log.exception("%s failed", message.operation)
            reply = ChatReply(message.call, error=_failure(error))
        self.tell(FRONTEND, reply)

    @on(FollowChat)
    def follow(self, message: FollowChat) -> None:
        self._wanted.set()
        self.spawn(self._follow, message)

    async def _follow(self, message: FollowChat) -> None:
        await self._ready.wait()
        if self._unusable is not None:
            self._followers.refuse(message.call, self._unusable)
            return
        try:
            async with self._state.turn:
                if message.chat == LIST:
                    await self._state.follow_list(message.call, message.after)
                else:
                    await self._state.follow(message.call, message.chat, message.after)
        except RequestError as error:
            self._followers.refuse(message.call, error.info)
        except Exception as error:
            log.exception("following %s failed", message.chat or "the list")
            self._followers.refuse(message.call, _failure(error))

    @on(LeaveChat)
    def leave(self, message: LeaveChat) -> None:
        self._followers.leave(message.call)

    # What becomes of answers.

    @on(AnswerStarted)
    def answer_started(self, message: AnswerStarted) -> None:
        if self._database is not None:
            self._answers.on_started(message)

    @on(AnswerDeltas)
    def answer_deltas(self, message: AnswerDeltas) -> None:
        if self._database is not None:
            self._answers.on_deltas(message)
            self._titles.on_deltas(message)

    @on(AnswerPrefill)
    def answer_prefill(self, message: AnswerPrefill) -> None:
        if self._database is not None:
            self._answers.on_prefill(message)

    @on(AnswerEnded)
    def answer_ended(self, message: AnswerEnded) -> None:
        if self._database is None:
            return
        self._answers.on_ended(message)
        if self._titles.asked(message.answer):
            self.spawn(self._safely, self._titles.end, message)

    @on(FrontendUp)
    def frontend_up(self, message: FrontendUp) -> None:
        if self._frontend_up.is_set() and self._database is not None:
            self._followers.clear()
            self._titles.forget()
            self._answers.restart()
        self._frontend_up.set()


def _failure(error: Exception) -> ErrorInfo:
    return ErrorInfo(ErrorCode.INTERNAL, f"the server failed on this ({type(error).__name__}); its log says more")
