"""The ``openai`` package and embeddings, against what sentence-transformers made of the same texts."""

from __future__ import annotations

import numpy as np
import openai
import pytest

from tests.clients.vectors import ENOUGH, TEXTS, likeness

pytestmark = pytest.mark.clients


def test_vectors_are_those_of_sentence_transformers(openai_client: openai.OpenAI) -> None:
    packed = openai_client.embeddings.create(model="minilm", input=TEXTS)
    assert likeness([item.embedding for item in packed.data]) > ENOUGH
    plain = openai_client.embeddings.create(model="minilm", input=TEXTS, encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > len(TEXTS)


def test_a_large_batch_keeps_its_order(openai_client: openai.OpenAI) -> None:
    made = openai_client.embeddings.create(model="minilm", input=TEXTS * 12)
    given = np.array([item.embedding for item in made.data])
    assert [item.index for item in made.data] == list(range(len(TEXTS) * 12))
    assert np.abs(given - np.tile(given[: len(TEXTS)], (12, 1))).max() < 1e-4


def test_fewer_dimensions_are_the_first_ones_of_unit_length(openai_client: openai.OpenAI) -> None:
    whole = np.array(openai_client.embeddings.create(model="minilm", input=TEXTS[0]).data[0].embedding)
    short = np.array(openai_client.embeddings.create(model="minilm", input=TEXTS[0], dimensions=64).data[0].embedding)
    assert short == pytest.approx(whole[:64] / np.linalg.norm(whole[:64]), abs=1e-5)


def test_decoders_embed_too(openai_client: openai.OpenAI) -> None:
    one, other = openai_client.embeddings.create(model="smollm2", input=["A cat sat.", "A cat sat."]).data
    assert len(one.embedding) == 576
    assert one.embedding == pytest.approx(other.embedding, abs=1e-3)
    assert np.linalg.norm(one.embedding) == pytest.approx(1, abs=1e-3)


def test_what_cant_be_embedded_is_refused(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as large:
        openai_client.embeddings.create(model="minilm", input="a", dimensions=1000)
    assert large.value.param == "dimensions"
    with pytest.raises(openai.BadRequestError, match="256"):
        openai_client.embeddings.create(model="minilm", input="word " * 2000)
    with pytest.raises(openai.BadRequestError, match="empty"):
        openai_client.embeddings.create(model="minilm", input=[])
    with pytest.raises(openai.NotFoundError):
        openai_client.embeddings.create(model="text-embedding-3-small", input="a")
