"""Embeddings: asking for many at once, and cutting them down to fewer dimensions."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlxr.http.client import Client
from mlxr.http.errors import HttpError, Problem
from mlxr.http.openai.shapes import add_usage
from mlxr.http.parallel import each
from mlxr.runtime.messages.common import Usage
from mlxr.runtime.messages.tokenizer import Embed, TextPrompt, TokenPrompt

AT_A_TIME = 32
"""Vectors encoded in one go: a few milliseconds at 1,024 dimensions."""

Vector = NDArray[np.float32]


async def embed_all(
    client: Client,
    model: str,
    prompts: list[TextPrompt | TokenPrompt],
    *,
    surface: str,
    truncate: bool,
    normalize: bool = True,
    dimensions: int | None = None,
    keep_alive: float | None = None,
    context: int = 0,
) -> tuple[list[Vector], Usage]:
    """One vector a prompt, in order. ``context`` caps the tokens of each below the model's own limit, 0 for no cap.
    Raises ``HttpError`` for a model that makes none."""
    entry = client.find(model)
    if entry is not None and entry.capabilities and not {"embedding", "completion"} & set(entry.capabilities):
        raise HttpError(Problem(400, f"model {model!r} makes no embeddings", "unsupported_parameter", "model"))

    async def one(prompt: TextPrompt | TokenPrompt) -> tuple[bytes, Usage]:
        command = Embed(0, prompt, truncate, normalize, context)
        made = await client.embed(model, command, surface=surface, keep_alive=keep_alive)
        return made.vector, made.usage

    answers = await each(one, prompts)
    vectors = [shortened(np.frombuffer(raw, dtype="<f4"), dimensions) for raw, _ in answers]
    return vectors, add_usage(usage for _, usage in answers)


def shortened(vector: Vector, dimensions: int | None) -> Vector:
    """The first ``dimensions`` numbers of ``vector``, of unit length again; raises ``HttpError`` for too many."""
    if not dimensions or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        message = f"`dimensions` is {dimensions}, and the model's embeddings have {len(vector)}"
        raise HttpError(Problem(400, message, param="dimensions"))
    head = vector[:dimensions]
    return head / max(float(np.linalg.norm(head)), 1e-12)


async def encoded(vectors: list[Vector], as_base64: bool = False) -> list[msgspec.Raw]:
    """Each vector as JSON: an array of numbers, or little-endian float32 in base64, as the OpenAI clients ask for by
    default. A long list lets other work of the loop in between."""
    made: list[msgspec.Raw] = []
    for index, vector in enumerate(vectors):
        if index % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        value = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
        made.append(msgspec.Raw(msgspec.json.encode(value)))
    return made
