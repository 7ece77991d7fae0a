"""Documents by their relevance to a query."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mlxr.api.ranking import sigmoid
from mlxr.runtime.messages.common import Message, Usage
from mlxr.runtime.messages.frontend import Catalog, Embedding
from mlxr.runtime.messages.tokenizer import Embed, PairPrompt, TextPrompt
from tests.http.rig import EMBEDDER, ENGINE, THOUGHTLESS, able, ask, embedded, rig

RERANKER = able("rerank")


def scored(message: Message) -> list[Message]:
    """A tokenizer's script: a document's score is its length; long ones are cut."""
    assert isinstance(message, Embed)
    assert isinstance(message.prompt, PairPrompt)
    length = len(message.prompt.document)
    score = struct.pack("<f", length - 3)
    return [Embedding(message.request, score, Usage(prompt_tokens=length), truncated=length > 5)]


async def test_a_cross_encoder_reads_each_document_with_the_query(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([RERANKER], [ENGINE])) as r:
        r.on_other = scored
        wanted = {"model": "tiny", "query": "q", "documents": ["aaa", {"text": "aaaaaaa"}, "a"], "top_n": 2}
        _, body, _ = await ask(r, "POST", "/v1/rerank", json=wanted)
        first, second = body["results"]
        assert first == {"index": 1, "relevance_score": pytest.approx(sigmoid(4)), "truncated": True}
        assert second == {"index": 0, "relevance_score": 0.5}
        assert (body["scored_by"], body["usage"]) == ("cross-encoder", {"prompt_tokens": 11, "total_tokens": 11})
        pairs = {command.prompt for command in r.got(Embed) if not command.normalize}
        assert pairs == {PairPrompt("q", text) for text in ("aaa", "aaaaaaa", "a")}
        _, body, _ = await ask(r, "POST", "/v1/rerank", json={**wanted, "raw_scores": True, "top_n": 1})
        assert body["results"][0]["relevance_score"] == 4.0


@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank", "/v1/reranking", "/reranking"])
async def test_it_has_the_names_that_other_servers_give_it(path: str, tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([RERANKER], [ENGINE])) as r:
        r.on_other = scored
        _, body, _ = await ask(r, "POST", path, json={"query": "q", "documents": ["a", "aaaa"]})
        assert [result["index"] for result in body["results"]] == [1, 0]


async def test_an_embedding_model_orders_documents_by_their_likeness_to_the_query(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([EMBEDDER], [ENGINE])) as r:
        r.on_other = embedded
        wanted = {
            "model": "tiny",
            "query": "a",
            "documents": ["zz", {"text": "a"}],
            "top_n": 1,
            "return_documents": True,
        }
        _, body, _ = await ask(r, "POST", "/v1/rerank", json=wanted)
        (best,) = body["results"]
        assert (best["index"], best["document"], body["scored_by"]) == (1, {"text": "a"}, "embeddings")
        assert best["relevance_score"] == pytest.approx(1.0)
        names = {(command.prompt, command.prompt_name) for command in r.got(Embed)}
        assert (TextPrompt("zz"), "document") in names
        status, body, _ = await ask(r, "POST", "/v1/rerank", json={**wanted, "raw_scores": True})
        assert status == 400
        assert "has no raw scores" in body["error"]["message"]


async def test_a_model_that_makes_text_alone_refuses_by_name(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([THOUGHTLESS], [ENGINE])) as r:
        status, body, _ = await ask(r, "POST", "/v1/rerank", json={"model": "tiny", "query": "a", "documents": ["b"]})
        assert status == 400
        assert "model 'tiny' can't rerank" in body["error"]["message"]


async def test_a_reranker_makes_no_text_and_no_embeddings(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([RERANKER], [ENGINE])) as r:
        asked = {"model": "tiny", "messages": [{"role": "user", "content": "a"}]}
        status, body, _ = await ask(r, "POST", "/v1/chat/completions", json=asked)
        assert (status, "it ranks documents" in body["error"]["message"]) == (400, True)
        status, body, _ = await ask(r, "POST", "/v1/embeddings", json={"model": "tiny", "input": "a"})
        assert (status, "makes no embeddings" in body["error"]["message"]) == (400, True)


def test_a_sigmoid_is_between_0_and_1_for_any_number() -> None:
    assert [sigmoid(logit) for logit in (-1e9, 0.0, 1e9)] == [0.0, 0.5, 1.0]
    assert sigmoid(2.0) == pytest.approx(0.8807970779778823)
