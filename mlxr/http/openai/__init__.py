"""The OpenAI surface."""

from __future__ import annotations

from msgspec.structs import replace

from mlxr.http.anthropic.models import QUERY
from mlxr.http.openai.chat import chat_completions
from mlxr.http.openai.completions import completions
from mlxr.http.openai.embeddings import embeddings
from mlxr.http.openai.models import get_model, list_models
from mlxr.http.openai.schema import ChatRequest, CompletionRequest, EmbeddingRequest, ModelCard, ModelList
from mlxr.http.services import Route
from mlxr.http.stream import SSE


def without_version(route: Route) -> Route:
    """``route`` where clients look for it whose base URL lacks the ``/v1``, as other local servers let them."""
    return replace(route, path=route.path.removeprefix("/v1"), summary="The same")


_ROUTES = (
    Route("GET", "/v1/models", list_models, "The installed models", gives=ModelList, tag="openai", query=QUERY),
    Route("GET", "/v1/models/{model:.+}", get_model, "One model", gives=ModelCard, tag="openai"),
    Route(
        "POST",
        "/v1/chat/completions",
        chat_completions,
        "Answer a conversation",
        takes=ChatRequest,
        streams=SSE,
        tag="openai",
    ),
    Route("POST", "/v1/completions", completions, "Continue text", takes=CompletionRequest, streams=SSE, tag="openai"),
    Route("POST", "/v1/embeddings", embeddings, "Embeddings of texts", takes=EmbeddingRequest, tag="openai"),
)

ROUTES = (*_ROUTES, *map(without_version, _ROUTES))
