"""Short texts to embed, encoded on the loop: the way to a sandbox and back takes longer than such a text."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from mlxr.actors.tokenizer.sandbox_results import EncodedInput, TokenizerInfo
from mlxr.actors.tokenizer.truncation import TruncationPolicy, check_useful, truncated_input, useful_tokens
from mlxr.models.tokenizers import Tokenizer, TokenTable
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Embed, TextPrompt

TURN_CHARACTERS = 320
"""Of texts that are encoded before others of the loop get their turn: 75 us, and 1 ms with the vocabulary that is worst
for it."""

LOCAL_FROM = 8
"""Short texts that a model has before its tokenizer is made here, which holds streams for 10 to 20 ms once: a load
costs them none of it, and who embeds a text now and then neither."""

GROWTH = 3
"""Characters that the normalization may make of one that is not ASCII."""


class LocalEncoder:
    """Owns the model's tokenizer in the server's process. ``before``: what is put before every text."""

    def __init__(self, tokenizer: Tokenizer, before: str, context_length: int) -> None:
        self._tokenizer, self._before, self._context_length = tokenizer, before, context_length

    @classmethod
    def load(cls, info: TokenizerInfo, table: TokenTable) -> LocalEncoder | None:
        """Returns None for a model whose texts are encoded in its sandbox alone. Raises ``TokenizerError``."""
        if info.portable is None:
            return None
        from mlxr.models.tokenizers.portable import carried

        tokenizer = carried(info.portable, table, info.special, strips_space=info.strips_space)
        return cls(tokenizer, info.before, info.context_length)

    def size(self, command: Embed) -> int | None:
        """Returns how many characters of a turn the text counts for; None for one that the sandbox is to encode."""
        prompt = command.prompt
        if not isinstance(prompt, TextPrompt) or command.prompt_name is not None:
            return None
        characters = len(self._before) + len(prompt.text)
        size = characters if prompt.text.isascii() else characters * GROWTH
        return size if size <= TURN_CHARACTERS else None

    def encode(self, command: Embed) -> EncodedInput:
        """Returns the token ids of a text that has a size. Raises ``RequestError``."""
        prompt = command.prompt
        assert isinstance(prompt, TextPrompt)
        context = min(self._context_length, command.context_length or self._context_length)
        policy = TruncationPolicy(context, 0 if command.truncate else None, from_start=True, field="input")
        tokens = self._tokenizer.encode(
            self._before + prompt.text,
            add_special=prompt.add_special,
            parse_special=prompt.parse_special,
            limit=useful_tokens(policy),
        )
        check_useful(tokens, policy)
        kept = truncated_input(tokens, context, self._tokenizer.special.control, truncate=command.truncate)
        return EncodedInput(TokenIds.of(kept), None, len(kept) < len(tokens))


class Turns:
    """Does ``work`` with each command, as many in a turn of the loop as ``TURN_CHARACTERS`` allow, the first at
    once."""

    def __init__(self, work: Callable[[Embed], None]) -> None:
        self._work = work
        self._waiting: deque[tuple[int, Embed]] = deque()
        self._called = False

    def add(self, size: int, command: Embed) -> None:
        self._waiting.append((size, command))
        if not self._called:
            self._go_on()

    def close(self) -> None:
        """Nothing that waits is done."""
        self._waiting.clear()

    def _go_on(self) -> None:
        self._called = bool(self._waiting)
        if not self._called:
            return
        # Before anything is done that may raise.
        asyncio.get_running_loop().call_soon(self._go_on)
        left = TURN_CHARACTERS
        while self._waiting and self._waiting[0][0] <= left:
            size, command = self._waiting.popleft()
            left -= size
            self._work(command)
