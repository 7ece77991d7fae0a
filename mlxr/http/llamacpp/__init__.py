"""What clients of llama.cpp's server ask beside OpenAI's routes
(https://github.com/ggml-org/llama.cpp/tree/master/tools/server). Editors complete code by it."""

from __future__ import annotations

from typing import Any

from mlxr.http.llamacpp.adapters import lora_adapters
from mlxr.http.llamacpp.completion import completion, infill
from mlxr.http.llamacpp.embedding import embedding
from mlxr.http.llamacpp.props import apply_template, props, set_lora_adapters, set_props
from mlxr.http.llamacpp.schema import (
    CompletionRequest,
    EmbeddingRequest,
    InfillRequest,
    TemplateAnswer,
    TemplateRequest,
)
from mlxr.http.llamacpp.slots import slot_action, slots
from mlxr.http.services import Handler, Route
from mlxr.http.stream import SSE


def _route(method: str, path: str, handle: Handler, summary: str, **more: Any) -> Route:
    return Route(method, path, handle, summary, tag="llamacpp", **more)


_MODEL = {"model": {"type": "string"}}
_SLOTS = {**_MODEL, "fail_on_no_slot": {"type": "string"}}

ROUTES = (
    _route("POST", "/completion", completion, "Continue a text or tokens", takes=CompletionRequest, streams=SSE),
    _route("POST", "/infill", infill, "Fill the gap between two texts", takes=InfillRequest, streams=SSE),
    _route("POST", "/embedding", embedding, "Embeddings, each in a list of its own", takes=EmbeddingRequest),
    _route(
        "POST",
        "/apply-template",
        apply_template,
        "The prompt that a conversation becomes",
        takes=TemplateRequest,
        gives=TemplateAnswer,
    ),
    _route("GET", "/props", props, "What the server says of a model", query=_MODEL),
    _route("POST", "/props", set_props, "Refused: properties are not set here"),
    _route("GET", "/slots", slots, "Places in a model's batch", query=_SLOTS),
    _route("POST", "/slots/{slot}", slot_action, "Refused: slots keep nothing"),
    _route("GET", "/lora-adapters", lora_adapters, "A model's adapters and their numbers", query=_MODEL),
    _route("POST", "/lora-adapters", set_lora_adapters, "Refused: adapters are given with each request"),
)
