"""The Anthropic surface."""

from __future__ import annotations

from mlxr.http.anthropic.messages import count_tokens, messages
from mlxr.http.anthropic.models import QUERY, get_model, list_models
from mlxr.http.anthropic.schema import Count, CountRequest, MessagesRequest
from mlxr.http.services import Route
from mlxr.http.stream import SSE

ROUTES = (
    Route(
        "POST",
        "/v1/messages",
        messages,
        "Answer a conversation",
        takes=MessagesRequest,
        streams=SSE,
        tag="anthropic",
    ),
    Route(
        "POST",
        "/v1/messages/count_tokens",
        count_tokens,
        "How many tokens a conversation has",
        takes=CountRequest,
        gives=Count,
        tag="anthropic",
    ),
)

MODEL_ROUTES = (
    Route("GET", "/v1/models", list_models, "The installed models", tag="anthropic", query=QUERY),
    Route("GET", "/v1/models/{model:.+}", get_model, "One model", tag="anthropic"),
)
"""Paths that OpenAI's clients ask, too: which form the answer has depends on who asks."""
