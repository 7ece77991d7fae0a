"""What strangers send to the tokenizer fails their own requests, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.actors.tokenizer import output_stream
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Failed, Tokenized
from mlxr.runtime.messages.registry import EngineDown, TokenizerUp
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.tokenizer import (
    Cancel,
    ChatPrompt,
    Generate,
    TextPrompt,
    Tokenize,
    TokenRow,
    Tokens,
)
from tests.actors.tokenizer.rig import HELLO, tokenizer


def by_template(request: int, template: str) -> Generate:
    return Generate(request, ChatPrompt(HELLO, template=template))


ENDLESS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
TEMPLATES = {
    "a power with millions of digits": "{% set n=3 %}{% set x = n**(20000000) %}{{ x }}",
    "a number too long to print": "{{ 10**5000 }}",
    "parentheses": "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "many parentheses": "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}",
    "nested loops": "{% for x in [1] %}" * 100 + "{% endfor %}" * 100,
    "thousands of nested conditions": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "an endless macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a long string": "{{ ('a' * 4000000000)|length }}",
    "a wide string": "{{ 'a'.center(4000000000)|length }}",
    "a padded string": "{{ 'a'.ljust(4000000000)|length }}",
    "zeros": "{{ 'a'.zfill(4000000000)|length }}",
    "tabs": "{{ '\\t'.expandtabs(2000000000)|length }}",
    "a format": "{{ '%4000000000d' % 1 }}",
    "a formatting method": "{{ '{:>4000000000}'.format(1) }}",
    "a formatting filter": "{{ '%4000000000d'|format(1) }}",
    "a shift": "{{ (1 * 2**40000000000) }}",
    "doubling": "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "a joined list": "{{ (['a' * 1000000] * 100000)|join|length }}",
    "replacing": "{{ ('a' * 100000)|replace('a', 'b' * 1000000)|length }}",
    "translating": "{{ ('a' * 1000000).translate({97: 'b' * 100000})|length }}",
    "a nested list": "{% set n = namespace(l=[]) %}{% for i in range(90000) %}{% set n.l = [n.l] %}{% endfor %}"
    "{{ n.l }}",
    "indentation": "{{ ('a\n' * 10000000)|indent(1000000000) }}",
    "a lorem ipsum": "{{ lipsum(n=100000000) }}",
}


async def test_templates_of_requests_fail_those_requests_alone(tmp_path: Path) -> None:
    async with tokenizer(tmp_path) as rig:
        for request, template in enumerate(TEMPLATES.values()):
            rig.tell(by_template(request, template))
        for request, name in enumerate(TEMPLATES):
            outcome = await rig.outcome(request)
            assert isinstance(outcome, Failed), name
            assert outcome.error.code is ErrorCode.INVALID, name
            assert outcome.error.param in ("chat_template", "messages"), name
        assert await rig.works()


async def test_endless_templates_do_not_hold_others_up(tmp_path: Path) -> None:
    """More of them than the sandbox runs at once; the ordinary request comes last and does not wait for them."""
    async with tokenizer(tmp_path) as rig:
        await rig.first(lambda said: isinstance(said, TokenizerUp))
        for request in range(1, 7):
            rig.tell(by_template(request, ENDLESS))
        assert await rig.works()
        assert len([said for said in rig.said if isinstance(said, Failed)]) < 6
        for request in range(1, 7):
            outcome = await rig.outcome(request)
            assert isinstance(outcome, Failed)
            assert "processor time" in outcome.error.message


async def test_a_template_that_was_found_out_is_not_tried_again(tmp_path: Path) -> None:
    async with tokenizer(tmp_path) as rig:
        rig.tell(by_template(1, ENDLESS))
        first = await rig.outcome(1)
        for request in range(2, 50):
            rig.tell(by_template(request, ENDLESS))
        answers = [await rig.outcome(request) for request in range(2, 50)]
        assert [answer.error for answer in answers] == [first.error] * 48


async def test_cancelling_ends_the_work_on_a_template(tmp_path: Path) -> None:
    """Else four endless ones would keep the next one's turn from coming before they are ended."""
    async with tokenizer(tmp_path) as rig:
        await rig.first(lambda said: isinstance(said, TokenizerUp))
        for request in range(1, 5):
            rig.tell(by_template(request, ENDLESS))
        await anyio.sleep(0.2)
        for request in range(1, 5):
            rig.tell(Cancel(request))
        rig.tell(by_template(5, "{{ messages[0].content }}"))
        assert isinstance(await rig.outcome(5), Submit)
        assert not [said for said in rig.said if isinstance(said, Failed)]


async def test_short_prompts_do_not_wait_for_long_ones(tmp_path: Path) -> None:
    """More long ones than the sandbox takes at once."""
    words = "".join(f"{number:x} " for number in range(1_000_000))
    async with tokenizer(tmp_path) as rig:
        await rig.first(lambda said: isinstance(said, TokenizerUp))
        for request in range(1, 7):
            rig.tell(Tokenize(request, TextPrompt(words)))
        assert await rig.works()
        assert len([said for said in rig.said if isinstance(said, Tokenized)]) < 6
        for request in range(1, 7):
            assert isinstance(await rig.outcome(request), Tokenized)


@pytest.mark.parametrize("character", ['"', "a", " ", "é", "中"])
async def test_megabytes_of_one_character_are_counted(tmp_path: Path, character: str) -> None:
    async with tokenizer(tmp_path) as rig:
        rig.tell(Tokenize(1, TextPrompt(character * 4_000_000)))
        outcome = await rig.outcome(1)
        assert isinstance(outcome, Tokenized)
        assert outcome.count > 1000


async def test_more_tokens_than_an_answer_lists_are_refused_in_words(tmp_path: Path) -> None:
    async with tokenizer(tmp_path) as rig:
        rig.tell(Tokenize(1, TextPrompt('"' * 4_000_000), want_tokens=True))
        outcome = await rig.outcome(1)
        assert isinstance(outcome, Failed)
        assert "at most 1048576" in outcome.error.message


async def test_a_constraint_that_takes_too_long_is_refused_by_its_field(tmp_path: Path) -> None:
    keys = '{"^(a|b){4000}c*$": {}, "(x?){2000}": {}}'
    source = f'{{"type": "object", "patternProperties": {keys}, "additionalProperties": false}}'
    held = Constraint(ConstraintKind.JSON_SCHEMA, source, field="response_format")
    async with tokenizer(tmp_path) as rig:
        rig.tell(Generate(1, ChatPrompt(HELLO), constraint=held))
        rig.tell(Generate(2, ChatPrompt(HELLO), constraint=held))
        for request in (1, 2):
            outcome = await rig.outcome(request)
            assert isinstance(outcome, Failed)
            assert outcome.error.param == "response_format"
        assert await rig.works()


async def test_a_fault_that_nobody_foresaw_fails_its_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both while a prompt is worked on and while its tokens become text."""

    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError

    async with tokenizer(tmp_path) as rig:
        assert await rig.works()
        monkeypatch.setattr(output_stream.OutputStream, "take", broken)
        rig.tell(Tokens(1, [TokenRow(10_000 << 8, [5])]))
        failed = await rig.first(lambda said: isinstance(said, Failed))
        assert failed.error == ErrorInfo(ErrorCode.INTERNAL, "the server failed on this request (ZeroDivisionError)")
        assert await rig.first(lambda said: isinstance(said, Cancel))
        monkeypatch.setattr(output_stream.OutputStream, "__init__", broken)
        rig.tell(Generate(2, ChatPrompt(HELLO)))
        assert (await rig.outcome(2)).error.code is ErrorCode.INTERNAL
        monkeypatch.undo()
        rig.said.clear()
        assert await rig.works()


async def test_a_tokenizer_that_can_not_be_loaded_fails_its_engine_in_words(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 64)
    async with tokenizer(tmp_path, path) as rig:
        down = await rig.first(lambda said: isinstance(said, EngineDown))
        assert down.final
        assert str(path) in down.reason
