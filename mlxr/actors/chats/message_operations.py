"""Operations on messages: sending, answering again, going on, stopping, results of tools."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from msgspec import UNSET, structs

from mlxr.actors.chats.answers import Answers
from mlxr.actors.chats.prompt import command_of, content_text, first_title, given_sampling, seeded
from mlxr.actors.chats.run import Run
from mlxr.actors.chats.state import ChatState
from mlxr.actors.chats.store import new_id, not_found
from mlxr.actors.chats.tree import latest_through, path_to, subtree
from mlxr.api.caller import Caller
from mlxr.api.chats.commands import AnswerAgain, AnswerRequest, ContinueAnswer, PatchCall, SendMessage, ToolResults
from mlxr.api.chats.views import AnswerParameters, Chat, ChatTurn
from mlxr.api.chats.views import Answers as AnswersMade
from mlxr.api.errors import invalid
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

Path = Mapping[str, str]
Begun = list[tuple[ChatTurn, Run]]

MOST_LIVE = 8
"""Answers of one chat at once."""


def conflict(message: str) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.CONFLICT, message))


class MessageOperations:
    """Changes the tree of a chat's messages."""

    def __init__(self, state: ChatState, answers: Answers) -> None:
        self._state = state
        self._store = state.store
        self._answers = answers

    async def send(self, path: Path, body: SendMessage, caller: Caller) -> AnswersMade:
        async with self._state.turn:
            chat, messages = await self._opened(path)
            parent = chat.leaf if body.parent is UNSET else body.parent
            if parent is not None:
                _find(messages, parent)
                if parent in self._state.live:
                    raise conflict("the message before this one is still being written: wait for its end, or stop it")
            turn = ChatTurn(id=new_id(), parent=parent, role=body.role, created=time.time(), content=body.content)
            content_text(turn)
            if not chat.title and body.role == "user":
                chat = structs.replace(chat, title=first_title(turn), titled_by="message")
            begun = self._begun(chat, [*messages, turn], turn.id, body.answers, caller)
            chat = structs.replace(chat, leaf=begun[0][0].id if begun else turn.id)
            return await self._put(chat, turn, begun)

    async def again(self, path: Path, body: AnswerAgain, caller: Caller) -> AnswersMade:
        async with self._state.turn:
            chat, messages = await self._opened(path)
            turn = _find(messages, path["message"])
            wanted: list[AnswerRequest] = list(body.answers)
            parent: str | None = turn.id
            if turn.role == "assistant":
                parent, wanted = turn.parent, [_as_before(answer, turn) for answer in wanted]
            if parent is None:
                raise invalid("this message answers nothing, and so can't be answered again")
            begun = self._begun(chat, messages, parent, wanted, caller)
            return await self._put(structs.replace(chat, leaf=begun[0][0].id), None, begun)

    async def go_on(self, path: Path, body: ContinueAnswer, caller: Caller) -> AnswersMade:
        async with self._state.turn:
            chat, messages = await self._opened(path)
            turn = _find(messages, path["message"])
            if turn.id in self._state.live:
                return AnswersMade(chat=self._state.shown(chat), answers=self._state.turns_shown([turn]))
            run = await self._store.run(turn.id)
            if not turn.continuable or run is None:
                raise conflict("this answer has come to its end; only one that was cut off can be gone on with")
            self._room(chat, 1)
            more = body.max_tokens or (turn.parameters.max_tokens if turn.parameters else None)
            command = structs.replace(run.command, max_tokens=len(run.output) + more if more else None)
            run = structs.replace(run, command=command, client=caller.name, remote=caller.remote)
            turn = structs.replace(turn, state="waiting", finish_reason=None, error=None, continuable=False)
            if not run.output:
                turn = structs.replace(turn, content=[], reasoning="", tool_calls=[], logprobs=None)
            chat = structs.replace(chat, leaf=latest_through(messages, turn.id))
            return await self._put(chat, None, [(turn, run)])

    async def stop(self, path: Path) -> AnswersMade:
        chat, messages = await self._opened(path)
        wanted = path.get("message")
        if wanted is not None:
            _find(messages, wanted)
        stopped = [answer.message for answer in self._state.live_of(chat.id) if wanted in (None, answer.message)]
        await self._answers.stop(stopped)
        chat, messages = await self._opened(path)
        shown = self._state.turns_shown([turn for turn in messages if turn.id in stopped])
        return AnswersMade(chat=self._state.shown(chat), answers=shown)

    async def remove(self, path: Path) -> Chat:
        """Deletes a message and all that follow it."""
        async with self._state.turn:
            chat, messages = await self._opened(path)
            turn = _find(messages, path["message"])
            gone = subtree(messages, turn.id)
            for id in gone:
                self._answers.drop(id)
            leaf = chat.leaf
            if leaf in gone:
                left = [message for message in messages if message.id not in gone]
                beside = [message.id for message in left if message.parent == turn.parent]
                leaf = latest_through(left, beside[-1]) if beside else turn.parent
            async with self._store.database.transaction():
                await self._store.remove_messages(gone)
                chat = await self._store.put_chat(structs.replace(chat, leaf=leaf, updated=time.time()))
            self._state.announce_messages_removed(chat, gone)
            return self._state.shown(chat)

    # Tools.

    async def patch_call(self, path: Path, body: PatchCall) -> ChatTurn:
        async with self._state.turn:
            chat, messages = await self._opened(path)
            turn = _find(messages, path["message"])
            named = next((call for call in turn.tool_calls if call.id == path["call"]), None)
            if named is None:
                raise not_found("tool call", path["call"])
            if body.state == "running" and named.state != "waiting":
                raise conflict(f"this call is {named.state} already; one that runs elsewhere is set to waiting first")
            calls = [
                structs.replace(call, state=body.state) if call.id == path["call"] and call.result is None else call
                for call in turn.tool_calls
            ]
            turn = structs.replace(turn, tool_calls=calls)
            await self._put(chat, turn, [])
            return turn

    async def tool_results(self, path: Path, body: ToolResults, caller: Caller) -> AnswersMade:
        async with self._state.turn:
            chat, messages = await self._opened(path)
            turn = _find(messages, path["message"])
            results = {result.call: result for result in body.results}
            for id in results:
                if not any(call.id == id for call in turn.tool_calls):
                    raise not_found("tool call", id)
            following = [message for message in messages if message.parent == turn.id]
            if turn.state != "tools" and any(call.result is None for call in turn.tool_calls):
                raise conflict("this answer waits for no results: it has not come to the end of its calls")
            if turn.state != "tools":
                # Another tab was first, and what it brought stands.
                return AnswersMade(
                    chat=self._state.shown(chat), message=turn, answers=self._state.turns_shown(following)
                )
            calls = [
                structs.replace(call, result=given.result, state=given.state)
                if call.result is None and (given := results.get(call.id)) is not None
                else call
                for call in turn.tool_calls
            ]
            turn = structs.replace(turn, tool_calls=calls)
            begun: Begun = []
            if all(call.result is not None for call in calls):
                turn = structs.replace(turn, state="done")
                branch = [turn if message.id == turn.id else message for message in messages]
                choice = "none" if turn.tool_choice == "none" else "auto"
                wanted = structs.replace(_as_before(AnswerRequest(), turn), tool_choice=choice)
                begun = self._begun(chat, branch, turn.id, [wanted], caller)
                leaf = begun[0][0].id if chat.leaf == turn.id else chat.leaf
                chat = structs.replace(chat, leaf=leaf)
            return await self._put(chat, turn, begun)

    # What they share.

    async def _opened(self, path: Path) -> tuple[Chat, list[ChatTurn]]:
        return await self._store.chat(path["chat"]), await self._store.messages(path["chat"])

    def _room(self, chat: Chat, more: int) -> None:
        if len(self._state.live_of(chat.id)) + more > MOST_LIVE:
            raise conflict(f"this chat has {MOST_LIVE} answers on their way at most; wait for one, or stop it")

    def _begun(
        self, chat: Chat, messages: Sequence[ChatTurn], parent: str, wanted: Sequence[AnswerRequest], caller: Caller
    ) -> Begun:
        """Returns the answers of the branch that ends with ``parent``, as they begin. Raises ``RequestError``."""
        self._room(chat, len(wanted))
        branch = path_to(messages, parent)
        begun: Begun = []
        for answer in wanted:
            parameters = seeded(answer.parameters or chat.parameters)
            model = answer.model or chat.model or ""
            turn = ChatTurn(
                id=new_id(),
                parent=parent,
                role="assistant",
                created=time.time(),
                state="waiting",
                model=model or None,
                parameters=parameters,
                tools=answer.tools,
                tool_choice=answer.tool_choice,
            )
            given = given_sampling(answer.parameters or chat.parameters)
            run = Run(
                command=command_of(chat.system, branch, parameters, answer.tools, answer.tool_choice),
                model=model,
                given=given,
                client=caller.name,
                remote=caller.remote,
                keep_alive=parameters.keep_alive,
            )
            begun.append((turn, run))
        return begun

    async def _put(self, chat: Chat, turn: ChatTurn | None, begun: Begun) -> AnswersMade:
        """Writes what was said and what is begun, then begins it, and tells everybody."""
        async with self._store.database.transaction():
            if turn is not None:
                await self._store.put_message(chat.id, turn)
            for answer, run in begun:
                await self._store.put_message(chat.id, answer)
                await self._store.put_run(answer.id, run)
            chat = await self._store.put_chat(structs.replace(chat, updated=time.time()))
        for answer, run in begun:
            self._answers.begin(chat.id, answer, run)
        turns = [*([turn] if turn is not None else []), *(answer for answer, _ in begun)]
        self._state.announce(chat, *turns)
        shown = self._state.turns_shown([answer for answer, _ in begun])
        return AnswersMade(chat=self._state.shown(chat), message=turn, answers=shown)


def _find(messages: Sequence[ChatTurn], id: str) -> ChatTurn:
    found = next((message for message in messages if message.id == id), None)
    if found is None:
        raise not_found("message", id)
    return found


def _as_before(wanted: AnswerRequest, turn: ChatTurn) -> AnswerRequest:
    """Returns ``wanted`` with what it leaves out as in ``turn``; a seed that was drawn for that is drawn anew."""
    before = turn.parameters or AnswerParameters()
    return structs.replace(
        wanted,
        model=wanted.model or turn.model or "",
        parameters=wanted.parameters or structs.replace(before, seed=None),
        tools=wanted.tools or turn.tools,
        tool_choice=wanted.tool_choice if wanted.tools else turn.tool_choice,
    )
