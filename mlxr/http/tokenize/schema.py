"""Requests for tokens of texts and texts of tokens, and the answers to them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mlxr.http.chat_messages import CompletionMessage, FunctionTool
from mlxr.http.field_types import ModelName, TokenId
from mlxr.http.fields import Fields


class TokenizeRequest(Fields, frozen=True, kw_only=True):
    """``prompt`` for text, or ``messages`` for a conversation rendered by the model's template. Without ``model`` the
    one that is loaded is meant. llama.cpp's clients say ``content`` for text, and ``add_special``, which is off unless
    they do, ``with_pieces`` for each token with what it says, and ``parse_special``: false where markers are text like
    any other."""

    model: ModelName | None = None
    prompt: str | None = None
    content: str | None = None
    add_special: bool = False
    messages: list[CompletionMessage] | None = None
    tools: list[FunctionTool] | None = None
    add_special_tokens: bool = True
    return_token_strs: bool = False
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    with_pieces: bool = False
    parse_special: bool = True


class TokenPiece(Struct, frozen=True):
    """A token with what it says: text, or its bytes where they are none by themselves."""

    id: int
    piece: str | list[int]


class TokenizeAnswer(Struct, frozen=True):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class PiecesAnswer(Struct, frozen=True):
    """The answer to who wants each token with what it says."""

    count: int
    max_model_len: int
    tokens: list[TokenPiece]


class DetokenizeRequest(Fields, frozen=True, kw_only=True):
    model: ModelName | None = None
    tokens: list[TokenId]


class DetokenizeAnswer(Struct, frozen=True):
    """The text under both of its names."""

    prompt: str
    content: str
