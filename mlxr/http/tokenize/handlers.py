"""``/tokenize``, ``/detokenize`` and ``/tokenizer_info``."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from mlxr.api.default_model import default_model
from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import installed, with_model_defaults
from mlxr.http.chat_messages import chat_prompt
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.tokenize.schema import (
    DetokenizeAnswer,
    DetokenizeRequest,
    PiecesAnswer,
    TokenizeAnswer,
    TokenizeRequest,
    TokenPiece,
)
from mlxr.runtime.messages.registry import ShowModel
from mlxr.runtime.messages.tokenizer import Detokenize, Prompt, TextPrompt, Tokenize, TokenPrompt


async def tokenize(services: Services, body: TokenizeRequest, request: web.Request) -> web.Response:
    name = body.model or default_model(services.gateway)
    wanted = body.return_token_strs or body.with_pieces
    command = Tokenize(0, _prompt(services, body, name), want_tokens=True, want_pieces=wanted)
    made = await services.gateway.tokenize(name, command, surface="mlxr")
    entry = installed(services.gateway, name)
    if body.with_pieces:
        tokens = list(map(_piece, made.tokens, made.pieces))
        return json_response(PiecesAnswer(made.count, entry.info.context_length, tokens))
    pieces = [raw.decode(errors="replace") for raw in made.pieces] if body.return_token_strs else None
    return json_response(TokenizeAnswer(made.count, entry.info.context_length, made.tokens, pieces))


def _piece(token: int, raw: bytes) -> TokenPiece:
    try:
        return TokenPiece(token, raw.decode())
    except UnicodeDecodeError:
        return TokenPiece(token, list(raw))


async def detokenize(services: Services, body: DetokenizeRequest, request: web.Request) -> web.Response:
    name = body.model or default_model(services.gateway)
    made = await services.gateway.tokenize(name, Detokenize(0, TokenPrompt(body.tokens)), surface="mlxr")
    return json_response(DetokenizeAnswer(made.text, made.text))


async def tokenizer_info(services: Services, body: None, request: web.Request) -> web.Response:
    """Returns what the model's files say of its tokenizer; ``?model=`` names the model, the loaded one if it is left
    out."""
    entry = installed(services.gateway, request.query.get("model") or default_model(services.gateway))
    shown: dict[str, Any] = {}
    async for reply in services.gateway.registry(ShowModel(entry.name)):
        shown = msgspec.json.decode(reply.body) or shown
    info = shown.get("model_info") or {}
    facts = {key.removeprefix("tokenizer."): value for key, value in info.items() if key.startswith("tokenizer.")}
    return json_response(
        {
            **facts,
            **await _marker_texts(services.gateway, entry.name, facts),
            "model": entry.name,
            "architecture": entry.info.architecture,
            "max_model_len": entry.info.context_length,
            "chat_template": entry.info.template,
        }
    )


async def _marker_texts(gateway: Gateway, model: str, facts: dict[str, Any]) -> dict[str, str]:
    """``bos_token`` and its like, where the model's file has their ids."""
    texts: dict[str, str] = {}
    for name, key in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding")):
        token = facts.get(f"ggml.{key}_token_id")
        if isinstance(token, int):
            texts[name] = (await gateway.tokenize(model, Detokenize(0, TokenPrompt([token])), surface="mlxr")).text
    return texts


def _prompt(services: Services, body: TokenizeRequest, model: str) -> Prompt:
    if [body.prompt, body.content, body.messages].count(None) != 2:
        raise invalid("give one of `prompt`, `content` and `messages`", "prompt")
    if body.prompt is not None:
        return TextPrompt(body.prompt, body.add_special_tokens, body.parse_special)
    if body.messages is None:
        return TextPrompt(body.content or "", body.add_special, body.parse_special)
    prompt = chat_prompt(body.messages, body, services.settings.max_messages)
    return with_model_defaults(prompt, services.gateway.find(model))
