"""The ``openai`` package's older completions on a real server: several prompts, scores, echoes."""

from __future__ import annotations

import openai
import pytest

from tests.server import Server

pytestmark = pytest.mark.clients

PROMPTS = ["The capital of France is", "One, two, three,"]


def tokens_of(server: Server, text: str) -> list[int]:
    return list(server.request("/tokenize", {"model": "smollm2", "prompt": text})[1]["tokens"])


def test_prompts_come_in_four_forms(openai_client: openai.OpenAI, server: Server) -> None:
    ids = [tokens_of(server, prompt) for prompt in PROMPTS]
    forms = (PROMPTS, ids, PROMPTS[0], ids[0])
    made = [
        openai_client.completions.create(model="smollm2", prompt=form, max_tokens=5, temperature=0) for form in forms
    ]
    both, as_ids, one, one_as_ids = ([choice.text for choice in each.choices] for each in made)
    assert both == as_ids
    assert [both[0]] == one == one_as_ids
    assert "Paris" in both[0]
    assert "four" in both[1]


def test_choices_of_several_prompts_are_numbered_through(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "prompt": PROMPTS, "n": 2, "max_tokens": 6, "temperature": 1, "seed": 5}
    whole = openai_client.completions.create(**fields)
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    texts = {choice.index: "" for choice in whole.choices}
    for chunk in openai_client.completions.create(**fields, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert list(texts.values()) == [choice.text for choice in whole.choices]


def test_the_best_of_several_is_returned(openai_client: openai.OpenAI) -> None:
    fields = {"model": "smollm2", "prompt": PROMPTS[0], "max_tokens": 6, "temperature": 1.5, "seed": 5, "logprobs": 0}
    every = openai_client.completions.create(**fields, n=4)
    best = openai_client.completions.create(**fields, n=1, best_of=4)

    def score(choice: openai.types.CompletionChoice) -> float:
        values = choice.logprobs.token_logprobs
        return sum(values) / len(values)

    assert best.choices[0].text == max(every.choices, key=score).text


def test_a_prompt_is_scored_without_an_answer(openai_client: openai.OpenAI, server: Server) -> None:
    ids = tokens_of(server, PROMPTS[0])
    made = openai_client.completions.create(model="smollm2", prompt=[ids], echo=True, max_tokens=0, logprobs=2)
    choice = made.choices[0]
    assert choice.text == PROMPTS[0]
    assert len(choice.logprobs.tokens) == len(ids)
    assert choice.logprobs.token_logprobs[0] is None
    assert all(value <= 0 for value in choice.logprobs.token_logprobs[1:])
    assert made.usage.completion_tokens == 0


def test_scores_are_the_same_read_or_generated(openai_client: openai.OpenAI, server: Server) -> None:
    ids = tokens_of(server, PROMPTS[0])
    made = openai_client.completions.create(
        model="smollm2", prompt=[ids], max_tokens=3, temperature=0, logprobs=1
    ).choices[0]
    echoed = openai_client.completions.create(
        model="smollm2", prompt=PROMPTS[0] + made.text, echo=True, max_tokens=1, temperature=0, logprobs=1
    ).choices[0]
    generated, read = made.logprobs.token_logprobs, echoed.logprobs.token_logprobs[len(ids) :][: len(ids)]
    assert read[: len(generated)] == pytest.approx(generated, abs=0.02)
    for token, value, top in zip(
        echoed.logprobs.tokens[1:], echoed.logprobs.token_logprobs[1:], echoed.logprobs.top_logprobs[1:], strict=True
    ):
        assert top[token] == value
    assert echoed.logprobs.text_offset[-1] == len(PROMPTS[0] + made.text)


def test_what_a_model_cant_do_is_refused(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as middle:
        openai_client.completions.create(model="smollm2", prompt="a", suffix="b")
    assert middle.value.param == "suffix"
    with pytest.raises(openai.BadRequestError) as scores:
        openai_client.completions.create(model="smollm2", prompt="a", logprobs=6)
    assert scores.value.param == "logprobs"
    with pytest.raises(openai.BadRequestError, match="vocabulary"):
        openai_client.completions.create(model="smollm2", prompt=[[10**6]])
    with pytest.raises(openai.BadRequestError):
        openai_client.completions.create(model="minilm", prompt="a")
