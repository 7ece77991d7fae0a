"""What clients of llama.cpp's server ask beside OpenAI's routes: ``/completion``, ``/infill``, ``/apply-template`` and
``/props`` (https://github.com/ggml-org/llama.cpp/tree/master/tools/server). Editors complete code by it."""

from __future__ import annotations

from mlxr.http.llamacpp.completion import completion, infill
from mlxr.http.llamacpp.props import apply_template, props
from mlxr.http.llamacpp.schema import CompletionRequest, InfillRequest, TemplateAnswer, TemplateRequest
from mlxr.http.services import Route
from mlxr.http.stream import SSE

TAG = "llamacpp"

ROUTES = (
    Route(
        "POST", "/completion", completion, "Continue a text or tokens", takes=CompletionRequest, streams=SSE, tag=TAG
    ),
    Route("POST", "/infill", infill, "Fill the gap between two texts", takes=InfillRequest, streams=SSE, tag=TAG),
    Route(
        "POST",
        "/apply-template",
        apply_template,
        "The prompt that a conversation becomes",
        takes=TemplateRequest,
        gives=TemplateAnswer,
        tag=TAG,
    ),
    Route("GET", "/props", props, "What the server says of a model", tag=TAG, query={"model": {"type": "string"}}),
)
