"""``POST /v1/embeddings``."""

from __future__ import annotations

from aiohttp import web

from mlxr.api.durations import keep_alive_seconds
from mlxr.api.embeddings import embed_all
from mlxr.api.errors import invalid
from mlxr.http.adapters import adapters_of
from mlxr.http.json_response import encoded_vectors, json_response
from mlxr.http.model_request import with_model
from mlxr.http.openai.prompts import check_lengths, context_of, prompts_of
from mlxr.http.openai.schema import EmbeddingRequest
from mlxr.http.services import Services

MAX_INPUTS = 2048


async def embeddings(services: Services, body: EmbeddingRequest, request: web.Request) -> web.Response:
    """Vectors of unit length; ``encoding_format`` float unless the client asks for base64, as the SDKs do."""
    body = with_model(body, services.gateway, "embedding")
    prompts = await services.prepare(request, prompts_of, body.input, "input")
    check_lengths(prompts, context_of(services.gateway.find(body.model)), "input")
    most = min(MAX_INPUTS, services.settings.max_prompts)
    if len(prompts) > most:
        raise invalid(f"`input` has {len(prompts)} texts; at most {most} are taken", "input")
    vectors, usage = await embed_all(
        services.gateway,
        body.model,
        prompts,
        surface="openai",
        truncate=False,
        dimensions=body.dimensions,
        keep_alive=keep_alive_seconds(body.keep_alive),
        adapters=adapters_of(body.adapters),
        prompt_name=body.prompt_name,
    )
    made = await encoded_vectors(vectors, body.encoding_format == "base64")
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(made)]
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return json_response({"object": "list", "data": data, "model": body.model, "usage": counts})
