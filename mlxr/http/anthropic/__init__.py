"""The Anthropic surface."""

from __future__ import annotations

from mlxr.http.anthropic.messages import count_tokens, messages
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
