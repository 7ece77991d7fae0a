"""The Ollama surface."""

from __future__ import annotations

from typing import Any

from mlxr.http.ollama import schema
from mlxr.http.ollama.blobs import has_blob, put_blob
from mlxr.http.ollama.embed import embed, embeddings
from mlxr.http.ollama.generate import chat, generate
from mlxr.http.ollama.manage import copy, create, delete, pull, push
from mlxr.http.ollama.models import ps, show, tags, version
from mlxr.http.services import Handler, Route
from mlxr.http.stream import NDJSON


def _route(method: str, path: str, handle: Handler, summary: str, takes: Any = None, streams: str = "") -> Route:
    return Route(method, path, handle, summary, takes=takes, streams=streams, tag="ollama")


ROUTES = (
    _route("GET", "/api/version", version, "The version of Ollama's API that is spoken here"),
    _route("GET", "/api/tags", tags, "The installed models"),
    _route("GET", "/api/ps", ps, "The loaded models"),
    _route("POST", "/api/show", show, "Everything about one model", schema.ShowRequest),
    _route("POST", "/api/generate", generate, "Continue or answer a prompt", schema.GenerateRequest, NDJSON),
    _route("POST", "/api/chat", chat, "Answer a conversation", schema.ChatRequest, NDJSON),
    _route("POST", "/api/embed", embed, "Embeddings of unit length", schema.EmbedRequest),
    _route("POST", "/api/embeddings", embeddings, "One embedding, as it is", schema.EmbeddingsRequest),
    _route("POST", "/api/pull", pull, "Fetch a model", schema.PullRequest, NDJSON),
    _route("POST", "/api/push", push, "Give a model away", schema.TransferRequest, NDJSON),
    _route("POST", "/api/create", create, "Make a model of another one or of files", schema.CreateRequest, NDJSON),
    _route("POST", "/api/copy", copy, "Give a model a second name", schema.CopyRequest),
    _route("DELETE", "/api/delete", delete, "Remove a model", schema.Named),
    _route("HEAD", "/api/blobs/{digest}", has_blob, "Whether a file is here"),
    _route("POST", "/api/blobs/{digest}", put_blob, "Upload a file"),
)
