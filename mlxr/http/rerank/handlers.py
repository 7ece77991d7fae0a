"""Documents by their relevance to a query, as Jina's, Cohere's and vLLM's clients ask."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from mlxr.api.durations import keep_alive_seconds
from mlxr.api.errors import invalid
from mlxr.api.model_defaults import installed
from mlxr.api.ranking import rank
from mlxr.http.field_types import KeepAlive
from mlxr.http.ids import new_id
from mlxr.http.json_response import json_response
from mlxr.http.model_request import ModelRequest, with_model
from mlxr.http.services import Services


class RerankRequest(ModelRequest, frozen=True, kw_only=True):
    query: str
    documents: Annotated[list[str | dict[str, Any]], Meta(min_length=1)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False
    raw_scores: bool = False
    truncate: bool = True
    keep_alive: KeepAlive | None = None


async def rerank(services: Services, body: RerankRequest, request: web.Request) -> web.Response:
    """Documents by a cross-encoder's scores, or by the cosine similarity of their embeddings to the query's, best
    first; ``scored_by`` says which."""
    able = any("rerank" in entry.info.capabilities for entry in services.gateway.models())
    body = with_model(body, services.gateway, "rerank" if able else "embedding")
    entry = installed(services.gateway, body.model)
    if len(body.documents) > services.settings.max_prompts:
        raise invalid(f"`documents` has more than {services.settings.max_prompts} entries", "documents")
    texts = [_document_text(document, index) for index, document in enumerate(body.documents)]
    ranking = await rank(
        services.gateway,
        entry,
        body.query,
        texts,
        surface="mlxr",
        truncate=body.truncate,
        raw_scores=body.raw_scores,
        keep_alive=keep_alive_seconds(body.keep_alive),
    )
    results = [
        {
            "index": document.index,
            "relevance_score": document.score,
            **({"truncated": True} if document.truncated else {}),
            **({"document": {"text": texts[document.index]}} if body.return_documents else {}),
        }
        for document in ranking.documents[: body.top_n]
    ]
    tokens = ranking.usage.prompt_tokens
    return json_response(
        {
            "id": new_id("rerank-"),
            "object": "list",
            "model": body.model,
            "results": results,
            "scored_by": ranking.by,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _document_text(document: str | dict[str, Any], index: int) -> str:
    text = document if isinstance(document, str) else document.get("text")
    if not isinstance(text, str):
        raise invalid(f"`documents[{index}]` has no text", "documents")
    return text
