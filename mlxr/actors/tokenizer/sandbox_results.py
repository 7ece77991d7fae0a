"""What comes out of the tokenizer's sandbox."""

from __future__ import annotations

from msgspec import Struct

from mlxr.models.tokenizers import SpecialTokens
from mlxr.runtime.messages.token_ids import TokenIds


class TokenizerInfo(Struct, frozen=True):
    """What the actor itself needs of the model's text side. ``blob`` and ``offsets``: the bytes of every token, as
    ``TokenTable`` holds them. ``template``: the chat template's source, empty where there is none."""

    special: SpecialTokens
    blob: bytes
    offsets: bytes
    strips_space: bool
    template: str
    context_length: int


class EncodedPrompt(Struct, frozen=True, array_like=True):
    """A prompt ready to be submitted. ``text``: the prompt's, where it was asked for. ``in_reasoning``: the prompt ends
    inside a reasoning section. ``shown``: control tokens whose names the parser reads."""

    tokens: TokenIds
    in_reasoning: bool = False
    shown: list[int] = []
    text: str = ""
