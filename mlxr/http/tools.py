"""Routes beside the big surfaces: tokens of a text, text of tokens, and the order of documents by a query."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from mlxr.api.default_model import default_model
from mlxr.api.embeddings import embed_all
from mlxr.api.errors import invalid, unsupported_parameter
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import installed, with_model_defaults
from mlxr.http.fields import Fields
from mlxr.http.json_response import json_response
from mlxr.http.model_request import ModelRequest, with_model
from mlxr.http.openai import schema as openai
from mlxr.http.openai.conversation import chat_prompt
from mlxr.http.services import Route, Services
from mlxr.runtime.messages.registry import ShowModel
from mlxr.runtime.messages.tokenizer import Detokenize, Prompt, TextPrompt, Tokenize, TokenPrompt


class TokenizeRequest(Fields, frozen=True, kw_only=True):
    """``prompt`` for text, or ``messages`` for a conversation rendered by the model's template. Without ``model`` the
    one that is loaded is meant. llama.cpp's clients say ``content`` for text, and ``add_special``, which is off unless
    they do."""

    model: str | None = None
    prompt: str | None = None
    content: str | None = None
    add_special: bool = False
    messages: list[openai.Message] | None = None
    tools: list[openai.FunctionTool] | None = None
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
    model: str | None = None
    tokens: list[openai.TokenId]


class DetokenizeAnswer(Struct, frozen=True):
    """The text under both of its names."""

    prompt: str
    content: str


class RerankRequest(ModelRequest, frozen=True, kw_only=True):
    query: str
    documents: Annotated[list[str | dict[str, Any]], Meta(min_length=1)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


async def tokenize(services: Services, body: TokenizeRequest, request: web.Request) -> web.Response:
    name = body.model or default_model(services.gateway)
    command = Tokenize(0, _prompt(services, body, name), want_tokens=True, want_pieces=body.return_token_strs)
    made = await services.gateway.tokenize(name, command, surface="mlxr")
    entry = installed(services.gateway, name)
    pieces = [raw.decode(errors="replace") for raw in made.pieces] if body.return_token_strs else None
    return json_response(TokenizeAnswer(made.count, entry.context_length, made.tokens, pieces))


async def detokenize(services: Services, body: DetokenizeRequest, request: web.Request) -> web.Response:
    name = body.model or default_model(services.gateway)
    made = await services.gateway.tokenize(name, Detokenize(0, TokenPrompt(body.tokens)), surface="mlxr")
    return json_response(DetokenizeAnswer(made.text, made.text))


async def tokenizer_info(services: Services, body: None, request: web.Request) -> web.Response:
    """What the model's files say of its tokenizer; ``?model=`` names the model, the loaded one if it is left out."""
    entry = installed(services.gateway, request.query.get("model") or default_model(services.gateway))
    shown: dict[str, Any] = {}
    async for reply in services.gateway.registry(ShowModel(0, entry.name)):
        shown = msgspec.json.decode(reply.body) or shown
    info = shown.get("model_info") or {}
    facts = {key.removeprefix("tokenizer."): value for key, value in info.items() if key.startswith("tokenizer.")}
    return json_response(
        {
            **facts,
            **await _marker_texts(services.gateway, entry.name, facts),
            "model": entry.name,
            "architecture": entry.architecture,
            "max_model_len": entry.context_length,
            "chat_template": entry.template,
        }
    )


async def rerank(services: Services, body: RerankRequest, request: web.Request) -> web.Response:
    """Documents by the cosine similarity of their embeddings to the query's, best first."""
    body = with_model(body, services.gateway, "embedding")
    entry = installed(services.gateway, body.model)
    if not {"rerank", "embedding"} & set(entry.capabilities):
        raise unsupported_parameter(f"model {entry.name!r} can't rerank", "model")
    if len(body.documents) > services.settings.max_prompts:
        raise invalid(f"`documents` has more than {services.settings.max_prompts} entries", "documents")
    texts = [_document_text(document, index) for index, document in enumerate(body.documents)]
    prompts = [TextPrompt(text) for text in (body.query, *texts)]
    vectors, usage = await embed_all(services.gateway, body.model, list(prompts), surface="mlxr", truncate=True)
    query, *documents = vectors
    scores = [float(query @ document) for document in documents]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    results = [
        {
            "index": index,
            "relevance_score": scores[index],
            **({"document": {"text": texts[index]}} if body.return_documents else {}),
        }
        for index in order
    ]
    counted = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return json_response({"model": body.model, "results": results, "usage": counted})


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
        return TextPrompt(body.prompt, body.add_special_tokens)
    if body.messages is None:
        return TextPrompt(body.content or "", body.add_special)
    chat = openai.ChatRequest(
        model=model,
        messages=body.messages,
        tools=body.tools,
        add_generation_prompt=body.add_generation_prompt,
        continue_final_message=body.continue_final_message,
        chat_template=body.chat_template,
        chat_template_kwargs=body.chat_template_kwargs,
    )
    return with_model_defaults(chat_prompt(chat, services.settings), services.gateway.find(model))


def _document_text(document: str | dict[str, Any], index: int) -> str:
    text = document if isinstance(document, str) else document.get("text")
    if not isinstance(text, str):
        raise invalid(f"`documents[{index}]` has no text", "documents")
    return text


ROUTES = (
    Route(
        "POST",
        "/tokenize",
        tokenize,
        "Token ids of a text or conversation",
        takes=TokenizeRequest,
        gives=TokenizeAnswer,
    ),
    Route("POST", "/v1/tokenize", tokenize, "The same", takes=TokenizeRequest, gives=TokenizeAnswer),
    Route("POST", "/detokenize", detokenize, "Text of token ids", takes=DetokenizeRequest, gives=DetokenizeAnswer),
    Route("POST", "/v1/detokenize", detokenize, "The same", takes=DetokenizeRequest, gives=DetokenizeAnswer),
    Route(
        "GET",
        "/tokenizer_info",
        tokenizer_info,
        "Facts about a model's tokenizer",
        query={"model": {"type": "string"}},
    ),
    Route("POST", "/v1/rerank", rerank, "Order documents by a query", takes=RerankRequest),
    Route("POST", "/rerank", rerank, "The same", takes=RerankRequest),
)
