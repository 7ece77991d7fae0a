"""Encoders and rerankers from pull to answer: tiny random ones, whose numbers are known."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from mlxr.api.ranking import sigmoid
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model
from mlxr.models.pooling_heads import QWEN3_PROMPT
from tests.models.architectures.checkpoints_encoders import (
    CASES,
    tensors_of,
    write_dense,
    write_encoder,
    write_encoder_gguf,
    write_text_reranker,
)
from tests.models.architectures.test_encoder import RECORDED, pooled, together
from tests.oracle.fidelity import run_chunks
from tests.server import Server, serving

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
DOCUMENTS = ["b c d", "w31 w32 w33 w34 w35", "z", " ".join(["w40"] * 90), "a"]
QUERY = "a w7 w8"
PIECES = [f"▁w{number}" for number in range(92)]
PROMPTS = {"prompts": {"query": "w60 w61 ", "document": ""}, "default_prompt_name": None}


def tokenizer() -> Tokenizer:
    """Of 96 words, with BERT's rules for one text and for two."""
    words = [*SPECIAL, *"abcdefghijklmnopqrstuvwxyz", *(f"w{number}" for number in range(7, 72))]
    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens([AddedToken(word, normalized=False) for word in SPECIAL])
    return made


def folder_of(case: str, folder: Path) -> Path:
    write_encoder(folder, CASES[case], tensors_of(RECORDED[case]["tensors"]))
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("folders")
    gemma = write_dense(folder_of("embedding gemma", home / "tiny-gemma"))
    (gemma / "config_sentence_transformers.json").write_text(json.dumps(PROMPTS))
    embedder = folder_of("qwen3 reranker", home / "tiny-qwen")
    modules = [{"idx": 0, "path": "", "type": "x.Transformer"}, {"idx": 1, "path": "1_Pooling", "type": "x.Pooling"}]
    (embedder / "modules.json").write_text(json.dumps(modules))
    (embedder / "1_Pooling").mkdir()
    (embedder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "lasttoken"}')
    case = "xlm-roberta ranker"
    tensors = tensors_of(RECORDED[case]["tensors"])
    return {
        "tiny-xlm": write_encoder_gguf(home / "tiny-xlm.gguf", case, CASES[case], tensors, pieces=PIECES),
        "tiny-qwen": embedder,
        "tiny-reranker": write_text_reranker(folder_of("qwen3 reranker", home / "tiny-reranker")),
        "tiny-ranker": folder_of("bert ranker", home / "tiny-ranker"),
        "tiny-gemma": gemma,
        "tiny-modern": folder_of("modernbert", home / "tiny-modern"),
    }


@pytest.fixture(scope="module")
def server(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, models=(), folders=tuple(folders.values())) as running:
        yield running


def expected_scores(model: LoadedModel, query: str, documents: list[str]) -> list[float]:
    """By the package's own encoding of pairs, cut to the model's 64 tokens from the document's end."""
    scores = []
    for document in documents:
        pair = tokenizer().encode(query, document)
        cut = [*pair.ids[:63], 3], [*pair.type_ids[:63], 1]
        ids, types = cut if len(pair.ids) > 64 else (pair.ids, pair.type_ids)
        (hidden,) = together(model, [ids], [types])
        scores.append(float(pooled(model, hidden)[0]))
    return scores


def test_a_cross_encoder_ranks_as_its_weights_say(server: Server, folders: dict[str, Path]) -> None:
    logits = expected_scores(load_model(folders["tiny-ranker"], ReferenceBackend()), QUERY, DOCUMENTS)
    asked = {"model": "tiny-ranker", "query": QUERY, "documents": DOCUMENTS}
    status, body = server.request("/v1/rerank", asked)
    assert status == 200
    assert body["scored_by"] == "cross-encoder"
    found = {result["index"]: result["relevance_score"] for result in body["results"]}
    assert found == pytest.approx(dict(enumerate(map(sigmoid, logits))), abs=2e-3)
    assert [result["index"] for result in body["results"]] == sorted(range(5), key=lambda at: -logits[at])
    assert [result["index"] for result in body["results"] if result.get("truncated")] == [3]
    lengths = [min(64, len(tokenizer().encode(QUERY, text).ids)) for text in DOCUMENTS]
    assert body["usage"]["prompt_tokens"] == sum(lengths)
    _, body = server.request("/v1/rerank", {**asked, "raw_scores": True, "top_n": 1, "return_documents": True})
    (best,) = body["results"]
    assert best["relevance_score"] == pytest.approx(max(logits), abs=1e-2)
    assert best["document"] == {"text": DOCUMENTS[best["index"]]}
    status, body = server.request("/v1/rerank", {**asked, "truncate": False})
    assert (status, "a document is too long" in body["error"]["message"]) == (400, True)


def test_scores_are_the_same_alone_and_in_company(server: Server) -> None:
    def scores(documents: list[str]) -> dict[str, float]:
        _, body = server.request("/v1/rerank", {"model": "tiny-ranker", "query": QUERY, "documents": documents})
        return {documents[result["index"]]: result["relevance_score"] for result in body["results"]}

    alone = {document: score for text in DOCUMENTS for document, score in scores([text]).items()}
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(scores, [DOCUMENTS, DOCUMENTS[::-1], DOCUMENTS[1:3] * 10]):
            assert all(alone[document] == score for document, score in found.items())


def test_what_a_model_can_do_is_told_truthfully(server: Server) -> None:
    able = {"tiny-ranker": ["rerank"], "tiny-reranker": ["rerank"]}
    for name in ("tiny-ranker", "tiny-reranker", "tiny-gemma", "tiny-modern", "tiny-qwen"):
        assert server.request("/api/show", {"model": name})[1]["capabilities"] == able.get(name, ["embedding"])
    status, body = server.request("/v1/embeddings", {"model": "tiny-ranker", "input": "a"})
    assert (status, "makes no embeddings" in body["error"]["message"]) == (400, True)
    _, body = server.request("/v1/rerank", {"model": "tiny-gemma", "query": "a", "documents": ["b", "a"]})
    assert body["scored_by"] == "embeddings"


def vector_of(answer: Any) -> NDArray[np.float64]:
    return np.array(answer["data"][0]["embedding"])


def test_an_embedding_goes_through_all_stages_on_every_surface(server: Server, folders: dict[str, Path]) -> None:
    model = load_model(folders["tiny-gemma"], ReferenceBackend())

    def expected(text: str) -> NDArray[np.float64]:
        (hidden,) = together(model, [tokenizer().encode(text).ids], [None])
        return pooled(model, hidden)

    text = "a b w9 w10"
    _, body = server.request("/v1/embeddings", {"model": "tiny-gemma", "input": text})
    assert vector_of(body) == pytest.approx(expected(text), abs=2e-3)
    _, shown = server.request("/v1/embeddings", {"model": "tiny-gemma", "input": text, "encoding_format": "base64"})
    coded = np.frombuffer(base64.b64decode(shown["data"][0]["embedding"]), "<f4")
    assert coded == pytest.approx(vector_of(body), abs=1e-6)
    _, ours = server.request("/api/embed", {"model": "tiny-gemma", "input": [text, "c"]})
    assert np.array(ours["embeddings"][0]) == pytest.approx(vector_of(body), abs=1e-6)
    _, old = server.request("/api/embeddings", {"model": "tiny-gemma", "prompt": text})
    assert np.linalg.norm(old["embedding"]) == pytest.approx(1.0, abs=1e-5)
    _, short = server.request("/v1/embeddings", {"model": "tiny-gemma", "input": text, "dimensions": 8})
    head = vector_of(body)[:8]
    assert vector_of(short) == pytest.approx(head / np.linalg.norm(head), abs=1e-5)


def test_a_prompt_is_put_before_a_text_by_its_name(server: Server) -> None:
    def embedded(text: str, **fields: str) -> NDArray[np.float64]:
        return vector_of(server.request("/v1/embeddings", {"model": "tiny-gemma", "input": text, **fields})[1])

    assert np.array_equal(embedded("a", prompt_name="query"), embedded("w60 w61 a"))
    assert np.array_equal(embedded("a", prompt_name="document"), embedded("a"))
    assert not np.array_equal(embedded("a", prompt_name="query"), embedded("a"))
    wanted = {"model": "tiny-gemma", "input": "a", "prompt_name": "passage"}
    status, body = server.request("/v1/embeddings", wanted)
    assert status == 400
    assert "no prompt 'passage'; it has document, query" in body["error"]["message"]


def test_windows_and_lengths_hold_in_a_server_too(server: Server, folders: dict[str, Path]) -> None:
    model = load_model(folders["tiny-modern"], ReferenceBackend())
    text = " ".join(f"w{7 + number % 60}" for number in range(50))
    (hidden,) = together(model, [tokenizer().encode(text).ids], [None])
    wanted = pooled(model, hidden)
    _, body = server.request("/v1/embeddings", {"model": "tiny-modern", "input": text})
    assert vector_of(body) == pytest.approx(wanted / np.linalg.norm(wanted), abs=2e-3)
    status, body = server.request("/v1/embeddings", {"model": "tiny-modern", "input": text + " a" * 20})
    assert (status, "context length" in body["error"]["message"]) == (400, True)
    status, _ = server.request("/api/embed", {"model": "tiny-modern", "input": text + " a" * 20})
    assert status == 200


def last_state(path: Path, tokens: list[int]) -> tuple[LoadedModel, NDArray[np.float64]]:
    """The model, and what a causal one has made of its last token."""
    backend = ReferenceBackend()
    model = load_model(path, backend)
    hidden = np.array(model.pooled_input(run_chunks(model, backend, tokens, chunk=64, page_size=16)))
    return model, pooled(model, hidden)


def test_a_causal_model_embeds_by_its_last_token_behind_the_end_of_the_text(
    server: Server, folders: dict[str, Path]
) -> None:
    text = " ".join(f"w{7 + number % 60}" for number in range(40))
    _, wanted = last_state(folders["tiny-qwen"], tokenizer().encode(text).ids)
    for _ in range(2):  # the second time most of it is there already
        _, body = server.request("/v1/embeddings", {"model": "tiny-qwen", "input": text})
        assert vector_of(body) == pytest.approx(wanted / np.linalg.norm(wanted), abs=5e-3)


def test_a_text_model_ranks_by_its_own_prompt(server: Server, folders: dict[str, Path]) -> None:
    before, after = QWEN3_PROMPT.replace("{query}", "a").split("{document}")
    encode = tokenizer().encode
    for document in ("w7 w8", "b"):
        parts = [encode(text, add_special_tokens=False).ids for text in (before + document, after)]
        _, (logit,) = last_state(folders["tiny-reranker"], [*parts[0], *parts[1]])
        wanted = {"model": "tiny-reranker", "query": "a", "documents": [document], "raw_scores": True}
        _, body = server.request("/v1/rerank", wanted)
        assert body["results"][0]["relevance_score"] == pytest.approx(logit, abs=0.1)


def test_a_gguf_file_ranks_by_the_rules_of_its_kind(server: Server, folders: dict[str, Path]) -> None:
    assert server.request("/api/show", {"model": "tiny-xlm"})[1]["capabilities"] == ["rerank"]
    model = load_model(folders["tiny-xlm"], ReferenceBackend())
    documents = {"w5 w6 w7": [9, 10, 11], "w80": [84]}
    asked = {"model": "tiny-xlm", "query": "w1 w2", "documents": list(documents), "raw_scores": True}
    _, body = server.request("/v1/rerank", asked)
    found = {result["index"]: result["relevance_score"] for result in body["results"]}
    for index, ids in enumerate(documents.values()):
        (hidden,) = together(model, [[0, 5, 6, 2, 2, *ids, 2]], [None])
        assert found[index] == pytest.approx(pooled(model, hidden)[0], abs=1e-2)
