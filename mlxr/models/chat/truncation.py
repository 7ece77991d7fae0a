"""What a conversation that is too long goes without: its oldest messages, whole.

System messages stay, and so does the last turn, which is the last that a user said with all that came after it. Before
it goes one turn after the other; then, of the last turn, one round after the other of an assistant's message and the
results of its calls, but for the last round. So no result is left without its call, and no answer without its question.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Protocol, TypeVar

from msgspec.structs import replace

from mlxr.models.chat.errors import ChatError
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt

SYSTEM = frozenset({"system", "developer"})
ATTEMPTS = 8
"""How many shorter conversations are tried at most, whatever their number of messages."""
PER_MESSAGE = 16
"""Characters that a template writes around a message, about."""
FULL, GOOD = 0.75, 0.5
"""A truncated conversation takes no more than this part of the context (the answer has the rest, and the next turns
need not be truncated each), and is good enough if it takes this."""


class Sized(Protocol):
    @property
    def tokens(self) -> list[int]: ...


S = TypeVar("S", bound=Sized)


class DroppableMessages:
    """A conversation's messages in the order in which it can go without them."""

    def __init__(self, prompt: ChatPrompt) -> None:
        self._prompt = prompt
        self._chunks = _chunks(prompt.messages)
        self._sizes = [*accumulate(sum(_size(prompt.messages[at]) for at in chunk) for chunk in self._chunks)]
        self._whole = size_of(prompt) or 1

    def __len__(self) -> int:
        return len(self._chunks)

    def without(self, count: int) -> ChatPrompt:
        """Returns the conversation without its ``count`` oldest parts."""
        gone = {at for chunk in self._chunks[:count] for at in chunk}
        return replace(self._prompt, messages=[m for at, m in enumerate(self._prompt.messages) if at not in gone])

    def enough(self, tokens: int, count: int, target: int) -> int:
        """Returns how many parts to leave out for ``target`` tokens, where leaving out ``count`` left ``tokens``."""
        left = self._whole - self._size(count)
        wanted = left * target / max(tokens, 1)
        return next((n for n in range(len(self) + 1) if self._whole - self._size(n) <= wanted), len(self))

    def _size(self, count: int) -> int:
        return self._sizes[count - 1] if count else 0


def truncated(prompt: ChatPrompt, tokens: int, context: int, encode: Callable[[ChatPrompt], S]) -> tuple[ChatPrompt, S]:
    """Returns the longest end of the conversation found that leaves room for an answer in ``context`` tokens, or else
    its last turn with the system messages, and what ``encode`` makes of it. ``tokens``: about how many the whole has.

    Raises ``ChatError`` where the template refuses all that was tried.
    """
    history, target = DroppableMessages(prompt), int(context * FULL)
    fewest, most, best = 0, len(history), None
    count = max(1, history.enough(tokens, 0, target)) if most else 0
    for _ in range(ATTEMPTS):
        count = min(max(count, fewest + 1), most)
        if best is not None and count >= best[0]:
            break
        try:
            tried = history.without(count)
            made = encode(tried)
        except ChatError:
            # A template may insist on what went; less of a conversation may be to its taste again.
            if count == most:
                break
            fewest, count = count, count + max(1, (most - count) // 2)
            continue
        size = len(made.tokens)
        if size <= target:
            best = (count, tried, made)
            if size >= context * GOOD or count == fewest + 1:
                break
            # By its length, rather than half-way between: a rendering of what is far too long takes long.
            count = max(fewest + 1, history.enough(size, count, target))
        else:
            fewest = count
            if count == most:
                break
            count = history.enough(size, count, target)
    if best is not None:
        return best[1], best[2]
    last = history.without(most)
    return last, encode(last)


def with_other_longest(prompt: ChatPrompt) -> ChatPrompt:
    """Returns the conversation with another text in place of the longest that is no system message: its rendering is
    the same up to there, and no further."""
    messages = prompt.messages
    spoken = [at for at in range(len(messages)) if messages[at].role not in SYSTEM]
    if not spoken:
        return prompt
    longest = max(spoken, key=lambda at: len(messages[at].content))
    other = "?" if not messages[longest].content.lstrip().startswith("?") else "!"
    changed = replace(messages[longest], content=other)
    return replace(prompt, messages=[*messages[:longest], changed, *messages[longest + 1 :]])


def common_start(one: str, other: str) -> str:
    """Returns the text that both begin with."""
    differs = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differs, min(len(one), len(other)))]


def size_of(prompt: ChatPrompt) -> int:
    """Returns about how many characters a conversation has."""
    return sum(map(_size, prompt.messages))


def _chunks(messages: list[ChatMessage]) -> list[list[int]]:
    """Returns the messages that go together, by their places, in the order in which they go."""
    turns: list[list[int]] = []
    for at, message in enumerate(messages):
        if message.role in SYSTEM:
            continue
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(at)
    if not turns:
        return []
    rounds: list[list[int]] = []
    for at in turns[-1][1:]:
        if messages[at].role == "assistant" or not rounds:
            rounds.append([])
        rounds[-1].append(at)
    return turns[:-1] + rounds[:-1]


def _size(message: ChatMessage) -> int:
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return PER_MESSAGE + len(message.content) + len(message.reasoning) + calls
