"""``POST /api/embed`` and its predecessor ``POST /api/embeddings``."""

from __future__ import annotations

import time

from aiohttp import web

from mlxr.api.durations import keep_alive_seconds, nanoseconds
from mlxr.api.embeddings import embed_all
from mlxr.api.errors import invalid
from mlxr.http.adapters import adapters_of
from mlxr.http.json_response import encoded_vectors, json_response
from mlxr.http.ollama.generate import load_or_unload
from mlxr.http.ollama.options import options
from mlxr.http.ollama.schema import EmbeddingsRequest, EmbedRequest
from mlxr.http.services import Services
from mlxr.runtime.messages.tokenizer import TextPrompt


async def embed(services: Services, body: EmbedRequest, request: web.Request) -> web.Response:
    """Returns a vector of unit length for each text. Without any the model is loaded, or unloaded."""
    began = time.monotonic()
    given = options(body.options, services.gateway.find(body.model))
    keep_alive = keep_alive_seconds(body.keep_alive)
    inputs = [body.input] if isinstance(body.input, str) else body.input or []
    if not body.input:
        await load_or_unload(services.gateway, body.model, keep_alive, body.pin)
        inputs = []
    elif body.pin is not None:
        await load_or_unload(services.gateway, body.model, None, body.pin)
    if len(inputs) > services.settings.max_prompts:
        raise invalid(f"`input` has {len(inputs)} texts; at most {services.settings.max_prompts} are taken", "input")
    vectors, usage = await embed_all(
        services.gateway,
        body.model,
        [TextPrompt(text) for text in inputs],
        surface="ollama",
        truncate=body.truncate is not False,
        context_length=given.num_ctx or None,
        adapters=adapters_of(body.adapters),
        dimensions=body.dimensions,
        keep_alive=keep_alive,
        prompt_name=body.prompt_name,
    )
    return json_response(
        {
            "model": body.model,
            "embeddings": await encoded_vectors(vectors),
            "total_duration": nanoseconds(time.monotonic() - began),
            "load_duration": 1,
            "prompt_eval_count": usage.prompt_tokens,
        }
    )


async def embeddings(services: Services, body: EmbeddingsRequest, request: web.Request) -> web.Response:
    """One text, and a vector of whatever length the model gave it. An empty one has none, and loads the model."""
    given = options(body.options, services.gateway.find(body.model))
    keep_alive = keep_alive_seconds(body.keep_alive)
    if not body.prompt:
        await load_or_unload(services.gateway, body.model, keep_alive)
        return json_response({"embedding": []})
    (vector,), _ = await embed_all(
        services.gateway,
        body.model,
        [TextPrompt(body.prompt)],
        surface="ollama",
        truncate=True,
        normalize=False,
        context_length=given.num_ctx or None,
        adapters=adapters_of(body.adapters),
        keep_alive=keep_alive,
    )
    return json_response({"embedding": vector.tolist()})
