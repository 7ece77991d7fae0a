"""Documents in the order of their relevance to a query: by a model that reads the two together, or by the likeness of
their embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxr.api.aggregate import add_usage
from mlxr.api.errors import unsupported_parameter
from mlxr.api.gateway import Gateway
from mlxr.api.parallel import map_concurrently
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Usage
from mlxr.runtime.messages.frontend import Embedding
from mlxr.runtime.messages.tokenizer import Embed, PairPrompt, TextPrompt

CROSS_ENCODER, EMBEDDINGS = "cross-encoder", "embeddings"


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """One document. ``index``: its place in the request. ``truncated``: its end was left out."""

    index: int
    score: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """``documents``: the best first. ``by``: what scored them, ``CROSS_ENCODER`` or ``EMBEDDINGS``."""

    documents: list[RankedDocument]
    usage: Usage
    by: str


async def rank(
    gateway: Gateway,
    entry: ModelEntry,
    query: str,
    documents: Sequence[str],
    *,
    surface: str,
    truncate: bool = True,
    raw_scores: bool = False,
    keep_alive: float | None = None,
) -> Ranking:
    """Returns the documents, best first. A cross-encoder's scores are from 0 to 1, with ``raw_scores`` the logits that
    they are the sigmoids of; those of embeddings are cosines.

    Raises ``RequestError`` for a model that can do neither, for ``raw_scores`` of one that has none, and for what is
    too long where ``truncate`` is not set.
    """
    able = set(entry.info.capabilities)
    if "rerank" in able:
        return await _by_pairs(gateway, entry.name, query, documents, surface, truncate, raw_scores, keep_alive)
    if "embedding" not in able:
        raise unsupported_parameter(
            f"model {entry.name!r} can't rerank; take a reranker or an embedding model", "model"
        )
    if raw_scores:
        message = f"model {entry.name!r} has no raw scores: it compares embeddings"
        raise unsupported_parameter(message, "raw_scores")
    return await _by_embeddings(gateway, entry.name, query, documents, surface, truncate, keep_alive)


async def _by_pairs(
    gateway: Gateway,
    model: str,
    query: str,
    documents: Sequence[str],
    surface: str,
    truncate: bool,
    raw_scores: bool,
    keep_alive: float | None,
) -> Ranking:
    async def one(document: str) -> Embedding:
        command = Embed(0, PairPrompt(query, document), truncate, normalize=False)
        return await gateway.embed(model, command, surface=surface, keep_alive=keep_alive)

    answers = await map_concurrently(one, documents)
    logits = [float(np.frombuffer(answer.vector, dtype="<f4")[0]) for answer in answers]
    scores = logits if raw_scores else list(map(sigmoid, logits))
    ranked = [RankedDocument(i, score, answers[i].truncated) for i, score in enumerate(scores)]
    return Ranking(_ordered(ranked), add_usage(answer.usage for answer in answers), CROSS_ENCODER)


async def _by_embeddings(
    gateway: Gateway,
    model: str,
    query: str,
    documents: Sequence[str],
    surface: str,
    truncate: bool,
    keep_alive: float | None,
) -> Ranking:
    async def one(text: tuple[str, str]) -> Embedding:
        name, content = text
        command = Embed(0, TextPrompt(content), truncate, prompt_name=name, optional_prompt=True)
        return await gateway.embed(model, command, surface=surface, keep_alive=keep_alive)

    texts = [("query", query), *(("document", document) for document in documents)]
    answers = await map_concurrently(one, texts)
    asked, *vectors = (np.frombuffer(answer.vector, dtype="<f4") for answer in answers)
    ranked = [RankedDocument(i, float(asked @ vector), answers[i + 1].truncated) for i, vector in enumerate(vectors)]
    return Ranking(_ordered(ranked), add_usage(answer.usage for answer in answers), EMBEDDINGS)


def _ordered(ranked: list[RankedDocument]) -> list[RankedDocument]:
    return sorted(ranked, key=lambda one: -one.score)


def sigmoid(logit: float) -> float:
    """Returns ``1 / (1 + exp(-logit))``, for any number."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1 + grown)
