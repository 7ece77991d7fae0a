"""Documents by the cosine similarity of their embeddings to the query's."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from mlxr.api.embeddings import embed_all
from mlxr.api.errors import invalid, unsupported_parameter
from mlxr.api.model_defaults import installed
from mlxr.http.json_response import json_response
from mlxr.http.model_request import ModelRequest, with_model
from mlxr.http.services import Services
from mlxr.runtime.messages.tokenizer import TextPrompt


class RerankRequest(ModelRequest, frozen=True, kw_only=True):
    query: str
    documents: Annotated[list[str | dict[str, Any]], Meta(min_length=1)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


async def rerank(services: Services, body: RerankRequest, request: web.Request) -> web.Response:
    """Documents by the cosine similarity of their embeddings to the query's, best first."""
    body = with_model(body, services.gateway, "embedding")
    entry = installed(services.gateway, body.model)
    if not {"rerank", "embedding"} & set(entry.info.capabilities):
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


def _document_text(document: str | dict[str, Any], index: int) -> str:
    text = document if isinstance(document, str) else document.get("text")
    if not isinstance(text, str):
        raise invalid(f"`documents[{index}]` has no text", "documents")
    return text
