"""How each family writes a call, as terms of a grammar. The parsers of ``models.output`` read the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlxr.models.constraints.grammars import styled
from mlxr.models.constraints.spelling import Spelling
from mlxr.models.constraints.tagged import tagged

Schema = dict[str, Any]
Writer = Callable[[Spelling, str, str, Schema], tuple[str, list[str]]]
"""From function name, rule name and argument schema to the call's terms, and the further rules they need."""


@dataclass(frozen=True, slots=True)
class Format:
    """``before`` and ``after`` stand around all calls together; ``between`` separates two, None allows only one.
    ``sign``: what tells a call from text, the first of ``before`` or of the call itself; empty for families without.
    """

    call: Writer
    before: Sequence[str] = ()
    between: Sequence[str] | None = ()
    after: Sequence[str] = ()
    sign: str = ""


def around(opening: Callable[[str], Sequence[str]], *closing: str) -> Writer:
    """A call whose arguments are JSON between what ``opening`` makes of its name, and ``closing``."""

    def write(spelling: Spelling, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
        arguments = f"{rule}_arguments"
        terms = (spelling.terms(*opening(name)), arguments, spelling.terms(*closing))
        return " ".join(filter(None, terms)), [f"{arguments}: %json {styled(schema)}"]

    return write


def json_call(key: str = "arguments") -> Callable[[str], list[str]]:
    """``{"name": "f", "arguments": ``, in the pieces that JSON is read in: the same may begin another object."""
    return lambda name: ["{", '"name"', ": ", json.dumps(name, ensure_ascii=False), ", ", f'"{key}"', ": "]


def harmony(spelling: Spelling, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """gpt-oss: the recipient stands in the header, and ``<|call|>`` ends the turn."""
    header = ["<|channel|>", f"commentary to=functions.{name} ", "<|constrain|>", "json", "<|message|>"]
    return around(lambda _: header)(spelling, name, rule, schema)


HERMES = Format(
    around(lambda name: ["<tool_call>", "\n", *json_call()(name)], "}\n", "</tool_call>"),
    between=("\n",),
    sign="<tool_call>",
)
DEEPSEEK_R1 = Format(
    around(
        lambda name: ["<｜tool▁call▁begin｜>", "function", "<｜tool▁sep｜>", f"{name}\n```json\n"],
        "\n```",
        "<｜tool▁call▁end｜>",
    ),
    before=("<｜tool▁calls▁begin｜>",),
    between=("\n",),
    after=("<｜tool▁calls▁end｜>",),
    sign="<｜tool▁calls▁begin｜>",
)
DEEPSEEK_V31 = Format(
    around(lambda name: ["<｜tool▁call▁begin｜>", name, "<｜tool▁sep｜>"], "<｜tool▁call▁end｜>"),
    before=("<｜tool▁calls▁begin｜>",),
    after=("<｜tool▁calls▁end｜>",),
    sign="<｜tool▁calls▁begin｜>",
)
MISTRAL = Format(around(lambda name: ["[TOOL_CALLS]", name, "[ARGS]"]), sign="[TOOL_CALLS]")
MISTRAL_LIST = Format(
    around(json_call(), "}"), before=("[TOOL_CALLS]", "["), between=(", ",), after=("]",), sign="[TOOL_CALLS]"
)
LFM = Format(
    around(json_call(), "}"),
    before=("<|tool_call_start|>", "["),
    between=(", ",),
    after=("]", "<|tool_call_end|>"),
    sign="<|tool_call_start|>",
)
BRACKETED = Format(
    around(json_call(), "}"),
    before=("<|tool_call|>", "["),
    between=(", ",),
    after=("]", "<|/tool_call|>"),
    sign="<|tool_call|>",
)
LLAMA3 = Format(around(json_call("parameters"), "}"), between=None)
HARMONY = Format(harmony, between=None)
QWEN_CODER = Format(tagged, between=("\n",), sign="<tool_call>")


def _kimi(spelling: Spelling, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    opening = spelling.terms("<|tool_call_begin|>", f"functions.{name}:")
    rest, rules = around(lambda _: ["<|tool_call_argument_begin|>"], "<|tool_call_end|>")(spelling, name, rule, schema)
    return f"{opening} /[0-9]+/ {rest}", rules


KIMI = Format(
    _kimi,
    before=("<|tool_calls_section_begin|>",),
    after=("<|tool_calls_section_end|>",),
    sign="<|tool_calls_section_begin|>",
)

FORMATS = (
    (("<|channel|>", "<|message|>"), HARMONY),
    (("<|tool_calls_section_begin|>",), KIMI),
    (("<｜tool▁calls▁begin｜>", "```json"), DEEPSEEK_R1),
    (("<｜tool▁calls▁begin｜>",), DEEPSEEK_V31),
    (("<|tool_call_start|>",), LFM),
    (("<|tool_list_start|>",), LFM),
    (("[TOOL_CALLS]", "[ARGS]"), MISTRAL),
    (("[TOOL_CALLS]",), MISTRAL_LIST),
    (("<parameter=",), QWEN_CODER),
    (("<|tool_call|>",), BRACKETED),
    (("<|tool|>",), BRACKETED),
    (("<tool_call>",), HERMES),
    (("<|start_header_id|>", '"parameters"'), LLAMA3),
    (("<|python_tag|>",), LLAMA3),
)
"""What a template must all contain to be of a family; the first that fits. Hermes, which every parser reads, for the
rest."""


def format_of(source: str) -> Format:
    return next((form for signs, form in FORMATS if all(sign in source for sign in signs)), HERMES)
