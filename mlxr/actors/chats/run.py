"""What is kept of an answer besides the message, so that it can be gone on with exactly where it was."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.chats.views import ChatCall, ChatLogprob
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate


class Run(Struct, frozen=True, kw_only=True):
    """How an answer is made.

    command: what its model is asked; ``settled``: with the model's own defaults.
    prompt, output: token ids; the output's, as far as no pieces hold them.
    digest: of the model that began it, empty before.
    given: the sampling parameters that were asked for.
    client, remote: whoever asked, as in ``Caller``.
    """

    command: Generate
    model: str = ""
    settled: bool = False
    prompt: TokenIds = TokenIds()
    output: TokenIds = TokenIds()
    digest: str = ""
    given: dict[str, float] = {}
    client: str | None = None
    remote: bool = True
    keep_alive: float | None = None


class Piece(Struct, frozen=True, kw_only=True):
    """What an answer got between two writes. ``calls``: all calls so far, where there were any."""

    output: TokenIds
    text: str = ""
    reasoning: str = ""
    reasoning_seconds: float | None = None
    calls: list[ChatCall] = []
    logprobs: list[ChatLogprob] = []
    ttft: float | None = None
    load: float | None = None
