"""The ``openai`` package and constrained output: expressions, grammars, and batches in which every row has its own."""

from __future__ import annotations

import concurrent.futures
import json
import re
from typing import Any

import openai
import pytest

from tests.clients.asking import CITY, HI, PARIS, TOOLS, City

pytestmark = pytest.mark.clients

REGEX = r"[0-9]{3}-[a-f]{4}"
GRAMMAR = 'start: ("yes" | "no") " " /[1-9]{4}/'
GBNF = 'root ::= ("up" | "down") "!"'
CHOICES = ["crimson", "teal"]


def as_object(text: str) -> bool:
    return isinstance(json.loads(text), dict)


FORMATS: list[tuple[dict[str, Any], Any]] = [
    ({"extra_body": {"guided_regex": REGEX}}, re.compile(REGEX).fullmatch),
    ({"extra_body": {"guided_grammar": GRAMMAR}}, re.compile("(yes|no) [1-9]{4}").fullmatch),
    ({"extra_body": {"guided_grammar": GBNF}}, re.compile("(up|down)!").fullmatch),
    ({"extra_body": {"guided_choice": CHOICES}}, CHOICES.__contains__),
    ({"extra_body": {"guided_json": CITY}}, City.model_validate_json),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}},
     City.model_validate_json),
    ({}, len),
]  # fmt: skip


def content(client: openai.OpenAI, fields: dict[str, Any], **more: Any) -> str:
    made = client.chat.completions.create(model="smollm2", messages=PARIS, max_tokens=90, **fields, **more)
    return str(made.choices[0].message.content)


@pytest.mark.parametrize(("fields", "holds"), FORMATS)
def test_a_format_is_kept_at_a_high_temperature(openai_client: openai.OpenAI, fields: Any, holds: Any) -> None:
    assert holds(content(openai_client, fields, temperature=1.5, seed=11))


def test_every_row_of_a_batch_keeps_its_own_format(openai_client: openai.OpenAI) -> None:
    rows = FORMATS * 2
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        texts = list(
            pool.map(lambda at: content(openai_client, rows[at][0], temperature=1.3, seed=at), range(len(rows)))
        )
    for (_, holds), text in zip(rows, texts, strict=True):
        assert holds(text), text


def test_a_batch_holds_streams_calls_and_formats_together(openai_client: openai.OpenAI) -> None:
    def calls(seed: int) -> str:
        made = openai_client.chat.completions.create(
            model="smollm2", messages=PARIS, tools=TOOLS, tool_choice="required", seed=seed, max_tokens=120,
            parallel_tool_calls=False, temperature=1.2,
        )  # fmt: skip
        return made.choices[0].message.tool_calls[0].function.arguments

    def streams(seed: int) -> str:
        stream = openai_client.chat.completions.create(
            model="smollm2", messages=PARIS, max_tokens=40, stream=True, seed=seed, extra_body={"guided_regex": REGEX}
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        called, streamed = [pool.submit(calls, i) for i in range(3)], [pool.submit(streams, i) for i in range(3)]
        assert all(as_object(made.result()) for made in called)
        assert all(re.fullmatch(REGEX, made.result()) for made in streamed)


def test_every_choice_keeps_the_format(openai_client: openai.OpenAI) -> None:
    made = openai_client.chat.completions.create(
        model="smollm2", messages=PARIS, n=4, temperature=1.5, seed=1, max_tokens=30,
        extra_body={"guided_regex": REGEX},
    )  # fmt: skip
    texts = [choice.message.content for choice in made.choices]
    assert all(re.fullmatch(REGEX, text) for text in texts)
    assert len(set(texts)) > 1


def test_plain_completions_take_formats_too(openai_client: openai.OpenAI) -> None:
    made = openai_client.completions.create(
        model="gemma3", prompt=["A:", "B:"], max_tokens=30, extra_body={"guided_regex": REGEX}
    )
    assert all(re.fullmatch(REGEX, choice.text) for choice in made.choices)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"guided_regex": "(["}, "regex"),
        ({"guided_grammar": "start: nothing"}, "nothing"),
        ({"guided_json": {"type": "objekt"}}, "objekt"),
        ({"guided_json": "{"}, "guided_json"),
        ({"guided_regex": "a", "guided_choice": ["a"]}, "exclude"),
    ],
)
def test_a_format_that_cant_be_had_is_refused_with_the_reason(
    openai_client: openai.OpenAI, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=reason):
        openai_client.chat.completions.create(model="smollm2", messages=HI, extra_body=fields)
