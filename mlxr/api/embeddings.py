"""Embeddings: asking for many at once, and cutting them down to fewer dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.api.aggregate import add_usage
from mlxr.api.errors import invalid, unsupported_parameter
from mlxr.api.gateway import Gateway
from mlxr.api.parallel import map_concurrently
from mlxr.runtime.messages.common import Adapter, Usage
from mlxr.runtime.messages.tokenizer import Embed, TextPrompt, TokenPrompt

Vector = NDArray[np.float32]


async def embed_all(
    gateway: Gateway,
    model: str,
    prompts: list[TextPrompt | TokenPrompt],
    *,
    surface: str,
    truncate: bool,
    normalize: bool = True,
    dimensions: int | None = None,
    keep_alive: float | None = None,
    context_length: int | None = None,
    adapters: Sequence[Adapter] = (),
    prompt_name: str | None = None,
) -> tuple[list[Vector], Usage]:
    """Returns one vector a prompt, in order, and what they took. ``context_length`` caps the tokens of each below the
    model's own limit; None for no cap. ``prompt_name``: as in ``Embed``. Raises ``RequestError`` for a model that makes
    none."""
    entry = gateway.find(model)
    if entry is not None and entry.info.capabilities and not {"embedding", "completion"} & set(entry.info.capabilities):
        raise unsupported_parameter(f"model {model!r} makes no embeddings", "model")

    async def one(prompt: TextPrompt | TokenPrompt) -> tuple[bytes, Usage]:
        command = Embed(0, prompt, truncate, normalize, context_length, adapters=[*adapters], prompt_name=prompt_name)
        made = await gateway.embed(model, command, surface=surface, keep_alive=keep_alive)
        return made.vector, made.usage

    answers = await map_concurrently(one, prompts)
    vectors = [shortened(np.frombuffer(raw, dtype="<f4"), dimensions) for raw, _ in answers]
    return vectors, add_usage(usage for _, usage in answers)


def shortened(vector: Vector, dimensions: int | None) -> Vector:
    """Returns the first ``dimensions`` numbers of ``vector``, of unit length again; raises ``RequestError`` for too
    many."""
    if not dimensions or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        raise invalid(f"`dimensions` is {dimensions}, and the model's embeddings have {len(vector)}", "dimensions")
    head = vector[:dimensions]
    return head / max(float(np.linalg.norm(head)), 1e-12)
