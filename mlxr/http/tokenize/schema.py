"""Requests for tokens of texts and texts of tokens, and the answers to them."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct

from mlxr.http.chat_messages import CompletionMessage, FunctionTool
from mlxr.http.fields import Fields
from mlxr.http.values import ModelName, TokenId


class TokenizeRequest(Fields, frozen=True, kw_only=True):
    """``prompt`` for text, or ``messages`` for a conversation rendered by the model's template. Without ``model`` the
    one that is loaded is meant. llama.cpp's clients say ``content`` for text, and ``add_special``, which is off unless
    they do."""

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
    with_pieces: bool | None = None
    parse_special: bool | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"with_pieces": False, "parse_special": True}


class TokenizeAnswer(Struct, frozen=True):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeRequest(Fields, frozen=True, kw_only=True):
    model: ModelName | None = None
    tokens: list[TokenId]


class DetokenizeAnswer(Struct, frozen=True):
    """The text under both of its names."""

    prompt: str
    content: str
