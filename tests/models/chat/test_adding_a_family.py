"""The page on adding a chat family, followed for a family that nobody has."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

import pytest

from mlxr.models.chat import ChatTemplate, capabilities_with, choose_parser, families
from mlxr.models.chat.call_forms.call_format import CallFormat, around
from mlxr.models.chat.call_forms.named import named_arguments
from mlxr.models.chat.families.family import Family
from mlxr.models.constraints import Matcher, Vocabulary, force_tools
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.syntax import OutputSyntax
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import ByteTokenizer, walk
from tests.models.output.answers import calls, content, merged, reasoning

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/adding/chat-family.md").read_text()
BEGIN, ARGUMENTS, END = "<|do|>", "<|with|>", "<|done|>"


def read_call(reader: Reader, marker: str) -> Parse[None]:
    name, _ = yield from reader.collect(Markers((ARGUMENTS,)))
    yield from named_arguments(reader, name.strip(), Markers((END,)))


def read_calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax(calls={BEGIN: read_call}, stray=(ARGUMENTS, END))


FAMILY = Family(
    name="example",
    signs=((BEGIN,),),
    formats=(((), CallFormat(around(lambda name: [BEGIN, name, ARGUMENTS], END), sign=BEGIN)),),
    calls=read_calls,
    reasoning=(("<|hm|>", "<|so|>"),),
)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> str:
    """A template of the family, which is in the tuple."""
    monkeypatch.setattr(families, "FAMILIES", (FAMILY, *families.FAMILIES))
    return f"{{{{ messages }}}}{{{{ tools }}}}<|hm|><|so|>{BEGIN}"


def test_every_file_and_name_on_the_page_is_there() -> None:
    named = re.findall(r"`((?:mlxr|tests)/[\w/.]+(?:\.py|/))`", PAGE)
    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).exists()] == []
    code = "".join(path.read_text() for path in (ROOT / "mlxr/models/chat").rglob("*.py"))
    words = {word for quoted in re.findall(r"`([^`]+)`", PAGE) for word in re.findall(r"[A-Za-z_]{4,}", quoted)} - {
        "pytest"
    }
    assert [word for word in words if word not in code and f"{word}.py" not in PAGE and f"/{word}" not in PAGE] == []


def test_a_family_of_one_value_is_recognised_read_and_written(source: str) -> None:
    assert families.family_of(source) is FAMILY
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [Tool("f", "", json.dumps(schema).encode())]
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    text = tokenizer.decode(walk(Matcher(vocabulary, force_tools(source, tools, tokenizer)), vocabulary, 1))
    parser = choose_parser(source, tools)
    events = merged(parser.push(text) + parser.finish())
    assert content(events) == ""
    assert calls(events)
    assert all(name == "f" and type(json.loads(arguments)["n"]) is int for name, arguments in calls(events))


def test_its_capabilities_and_reasoning_need_nothing_more(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "SECTIONS", (*FAMILY.reasoning, *families.SECTIONS))
    assert capabilities_with(ChatTemplate(source), insert=False).names() == ["completion", "tools", "thinking"]
    parser = choose_parser(source)
    assert reasoning(merged(parser.push("<|hm|>Well.<|so|>Yes.") + parser.finish())) == "Well."
