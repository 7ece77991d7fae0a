"""``POST /v1/embeddings``."""

from __future__ import annotations

from aiohttp import web

from mlxr.http.durations import keep_alive_seconds
from mlxr.http.errors import invalid
from mlxr.http.naming import naming_a_model
from mlxr.http.openai.prompts import check_lengths, context_of, prompts_of
from mlxr.http.openai.schema import EmbeddingRequest
from mlxr.http.services import Services
from mlxr.http.system import json_response
from mlxr.http.vectors import embed_all, encoded

MAX_INPUTS = 2048


async def embeddings(services: Services, body: EmbeddingRequest, request: web.Request) -> web.Response:
    """Vectors of unit length; ``encoding_format`` float unless the client asks for base64, as the SDKs do."""
    body = naming_a_model(body, services.client, "embedding")
    prompts = await services.prepare(request, prompts_of, body.input, "input")
    check_lengths(prompts, context_of(services.client.find(body.model)), "input")
    most = min(MAX_INPUTS, services.settings.max_prompts)
    if len(prompts) > most:
        raise invalid(f"`input` has {len(prompts)} texts; at most {most} are taken", "input")
    vectors, usage = await embed_all(
        services.client,
        body.model,
        prompts,
        surface="openai",
        truncate=False,
        dimensions=body.dimensions,
        keep_alive=keep_alive_seconds(body.keep_alive),
    )
    made = await encoded(vectors, body.encoding_format == "base64")
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(made)]
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return json_response({"object": "list", "data": data, "model": body.model, "usage": counts})
