"""The OpenAI surface."""

from __future__ import annotations

from mlxr.http.openai.chat import chat_completions
from mlxr.http.openai.completions import completions
from mlxr.http.openai.embeddings import embeddings
from mlxr.http.openai.models import get_model, list_models
from mlxr.http.openai.schema import ChatRequest, CompletionRequest, EmbeddingRequest, ModelCard, ModelList
from mlxr.http.services import Route
from mlxr.http.stream import SSE

_ROUTES = (
    Route("GET", "/v1/models", list_models, "The installed models", gives=ModelList, tag="openai"),
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

ROUTES = (*_ROUTES, *(route.without_version() for route in _ROUTES))
