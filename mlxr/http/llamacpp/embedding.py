"""``POST /embedding``."""

from __future__ import annotations

import numpy as np
from aiohttp import web

from mlxr.api.embeddings import Vector, embed_all
from mlxr.api.errors import invalid
from mlxr.http.json_response import encoded_vectors, json_response
from mlxr.http.llamacpp.schema import EmbeddingRequest
from mlxr.http.model_request import with_model
from mlxr.http.services import Services
from mlxr.runtime.messages.tokenizer import TextPrompt

EUCLIDEAN = 2

LARGEST = 32_760.0
"""What 0 makes of the largest number, so that all fit 16-bit integers."""

LEAST = 1e-12


async def embedding(services: Services, body: EmbeddingRequest, request: web.Request) -> web.Response:
    """For each text a list of vectors, of which there is one: that of the whole text."""
    body = with_model(body, services.gateway, "embedding")
    texts = [body.content] if isinstance(body.content, str) else body.content
    if not texts:
        raise invalid("`content` is empty", "content")
    if len(texts) > services.settings.max_prompts:
        most = services.settings.max_prompts
        raise invalid(f"`content` has {len(texts)} texts; at most {most} are taken", "content")
    norm = EUCLIDEAN if body.embd_normalize is None else body.embd_normalize
    vectors, _ = await embed_all(
        services.gateway,
        body.model,
        [TextPrompt(text) for text in texts],
        surface="llamacpp",
        truncate=False,
        normalize=norm == EUCLIDEAN,
    )
    made = await encoded_vectors([_of_length_1(vector, norm) for vector in vectors])
    return json_response([{"index": index, "embedding": [vector]} for index, vector in enumerate(made)])


def _of_length_1(vector: Vector, norm: int) -> Vector:
    """Returns ``vector``, which has length 1 by Euclid's norm if that is wanted, by any other."""
    if norm in (-1, EUCLIDEAN):
        return vector
    if norm == 0:
        return vector * np.float32(LARGEST / max(float(np.abs(vector).max()), LEAST))
    length = float((np.abs(vector.astype(np.float64)) ** norm).sum() ** (1 / norm))
    return vector / np.float32(max(length, LEAST))
