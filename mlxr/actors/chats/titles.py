"""Better titles, by the model: a short request of low priority after a chat's first answer, where a setting asks for
it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from msgspec import structs

from mlxr.actors.chats.settings import ChatsSection
from mlxr.actors.chats.state import ChatState
from mlxr.api.chats.views import ChatTurn
from mlxr.runtime.messages.chats import AnswerDeltas, AnswerEnded
from mlxr.runtime.messages.common import Message, Sampling
from mlxr.runtime.messages.frontend import RunAnswer
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate

PRIORITY = 10
"""Behind everybody's requests, which have 0."""
MOST_CHARACTERS = 2000
"""Of each of the two messages that a title is made of."""
LONGEST = 80
ASK = "Give this conversation a title of two to six words, in its own language. Write the title alone, without quotes."


class Titles:
    """Owns the requests for titles that are on their way. ``number``: numbers them among all answers."""

    def __init__(
        self, state: ChatState, section: ChatsSection, tell: Callable[[Message], None], number: Callable[[], int]
    ) -> None:
        self._state = state
        self._section = section
        self._tell = tell
        self._number = number
        self._asked: dict[int, tuple[str, list[str]]] = {}

    async def after(self, chat_id: str, turn: ChatTurn) -> None:
        """Asks for a title once a chat has its first answer. Call within ``turn``."""
        if not self._section.model_titles or turn.model is None:
            return
        chat = await self._state.store.chat(chat_id)
        if chat.temporary or chat.titled_by != "message" or any(chat_id == asked for asked, _ in self._asked.values()):
            return
        messages = await self._state.store.messages(chat_id)
        asked = next((message.text for message in messages if message.role == "user"), "")
        talk = f"{asked[:MOST_CHARACTERS]}\n\n{turn.text[:MOST_CHARACTERS]}"
        command = Generate(
            request=0,
            prompt=ChatPrompt([ChatMessage("user", f"{ASK}\n\n{talk}")], reasoning_effort="none"),
            sampling=Sampling(temperature=0.0, seed=secrets.randbits(31)),
            max_tokens=self._section.title_tokens,
            priority=PRIORITY,
        )
        number = self._number()
        self._asked[number] = chat_id, []
        self._tell(RunAnswer(number, turn.model, command, {"temperature": 0.0}, settled=True))

    def on_deltas(self, message: AnswerDeltas) -> None:
        if message.answer in self._asked:
            self._asked[message.answer][1].extend(delta.text for delta in message.items)

    def forget(self) -> None:
        """The frontend has lost them; a title is not worth another try."""
        self._asked.clear()

    def asked(self, answer: int) -> bool:
        return answer in self._asked

    async def end(self, message: AnswerEnded) -> None:
        """Names the chat, unless somebody has done so meanwhile."""
        chat_id, parts = self._asked.pop(message.answer)
        lines = "".join(parts).strip().splitlines()
        title = lines[0].strip().strip("\"'*#` ").removeprefix("Title:").strip()[:LONGEST] if lines else ""
        if message.error is not None or not title:
            return
        state = self._state
        async with state.turn:
            chat = await state.store.chat(chat_id)
            if chat.titled_by != "message":
                return
            async with state.store.database.transaction():
                chat = await state.store.put_chat(structs.replace(chat, title=title, titled_by="model"))
            state.announce(chat)
