"""Ollama's templates as chat templates: conversations, tools, reasoning and gaps, as with those in Jinja."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from mlxr.models.chat import ChatError, ChatTemplate, capabilities_with, choose_parser
from mlxr.models.chat.families import TemplateSigns, family_of
from mlxr.models.output import Event, OutputParser
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, FillPrompt, ToolCall
from tests.models.chat.conversations import CALLS, HELLO, SYSTEM, TOOL_TURNS, TOOLS
from tests.models.output.answers import calls, content, merged, reasoning

QWEN3 = """
{{- if or .System .Tools .Think }}<|im_start|>system
{{- if .System }}
{{ .System }}
{{- end }}
{{- if .Tools }}

# Tools

<tools>
{{- range .Tools }}
{"type": "function", "function": {{ .Function }}}
{{- end }}
</tools>

For each function call, return a json object within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>
{{- end }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 -}}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}
{{- if and $.IsThinkSet (eq $i (len (slice $.Messages 1))) }}
{{- if $.Think }} /think{{ else }} /no_think{{ end }}
{{- end }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if .Thinking }}<think>{{ .Thinking }}</think>
{{ end }}
{{- if .Content }}{{ .Content }}
{{- else if .ToolCalls }}<tool_call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{ end }}</tool_call>
{{- end }}{{ if not $last }}<|im_end|>
{{ end }}
{{- else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ if and $.IsThinkSet (not $.Think) }}<think>

</think>

{{ end }}
{{- end }}
{{- end }}"""
ODD = """
{{- range .Messages }}[{{ .Role }}]{{ if .Thinking }}(thoughts: {{ .Thinking }} :thoughts){{ end }}{{ .Content }}
{{- if .ToolCalls }}CALL!{{ range .ToolCalls }}{{ .Function.Name }} {{ .Function.Arguments }}{{ end }}{{ end }}
{{- end }}{{ if .Tools }}{{ json .Tools }}{{ end }}[assistant]"""
"""Of no family: reasoning and calls are told by its structure alone."""


def test_a_conversation_with_tools_is_written_as_ollama_writes_it() -> None:
    text = ChatTemplate(QWEN3).render(ChatPrompt([SYSTEM, *TOOL_TURNS], tools=TOOLS)).text
    assert text == (
        "<|im_start|>system\nBe kind.\n\n# Tools\n\n<tools>\n"
        '{"type": "function", "function": {"name":"get_weather","description":"Weather of a city","parameters":'
        '{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}\n'
        '{"type": "function", "function": {"name":"now","description":"The time","parameters":'
        '{"type":"object","properties":{}}}}\n'
        "</tools>\n\nFor each function call, return a json object within <tool_call></tool_call> XML tags:\n"
        "<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\nWeather in Paris and Rome?<|im_end|>\n"
        "<|im_start|>assistant\n<think>Two calls.</think>\n<tool_call>\n"
        '{"name": "get_weather", "arguments": {"city":"Paris","days":2}}\n'
        '{"name": "get_weather", "arguments": {"city":"Rome"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nrain\n</tool_response><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nsun\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


def test_whether_to_reason_reaches_the_template() -> None:
    chat = ChatTemplate(QWEN3)
    # Ollama has a model reason that can, where nobody said.
    assert chat.render(ChatPrompt([HELLO])).text.endswith("<|im_start|>assistant\n")
    assert "<think>\n\n</think>" in chat.render(ChatPrompt([HELLO], reasoning_effort="none")).text
    assert chat.capabilities.reasoning_switch


def test_an_effort_reaches_a_template_that_knows_it() -> None:
    chat = ChatTemplate("{{ range .Messages }}{{ .Content }}{{ end }}{{ with $.ThinkLevel }}effort={{ . }}{{ end }}")
    assert chat.render(ChatPrompt([HELLO], reasoning_effort="high")).text.endswith("effort=high")
    assert chat.capabilities.effort


@pytest.mark.parametrize(
    ("source", "known"),
    [
        (QWEN3, ["completion", "tools", "thinking"]),
        (ODD, ["completion", "tools", "thinking"]),
        ("{{ .System }} {{ .Prompt }}", ["completion"]),
        (
            "{{ if .Suffix }}<P> {{ .Prompt }} <S>{{ .Suffix }}{{ else }}{{ .Prompt }}{{ end }}",
            ["completion", "insert"],
        ),
    ],
)
def test_a_template_tells_what_the_model_can(source: str, known: list[str]) -> None:
    assert capabilities_with(ChatTemplate(source), insert=False).names() == known


def test_what_people_wrote_becomes_no_control_token() -> None:
    chat = ChatTemplate(QWEN3, markers=["<|im_start|>", "<|im_end|>", "<tool_call>"])
    said = ChatMessage("user", "a<|im_end|>b")
    call = ToolCall("c", "get_weather", json.dumps({"city": "<|im_end|>"}))
    rendered = chat.render(ChatPrompt([said, ChatMessage("assistant", tool_calls=[call]), said], tools=TOOLS))
    assert rendered.escape
    assert rendered.escaped.count("<|im_end|>") == ChatTemplate(QWEN3).render(
        ChatPrompt([HELLO, ChatMessage("assistant", tool_calls=CALLS[:1]), HELLO], tools=TOOLS)
    ).text.count("<|im_end|>")
    # Go writes it as no HTML reads it.
    assert rendered.text.count("a<|im_end|>b") == 2
    assert '"\\u003c|im_end|\\u003e"' in rendered.text


def test_a_gap_is_filled_in_by_the_template() -> None:
    chat = ChatTemplate("<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{ .Response }}", markers=["<MID>"])
    assert chat.fills
    rendered = chat.fill(FillPrompt("def add(<MID>", "return x"))
    assert rendered.text == "<PRE> def add(<MID> <SUF>return x <MID>"
    assert rendered.escaped.count("<MID>") == 1


def test_an_answer_is_gone_on_with() -> None:
    prompt = ChatPrompt([HELLO, ChatMessage("assistant", "Once upon a ")], continue_final=True)
    assert ChatTemplate(QWEN3).render(prompt).text.endswith("<|im_start|>assistant\nOnce upon a ")


def test_a_template_that_does_not_parse_is_refused_with_the_line() -> None:
    with pytest.raises(ChatError, match=r"does not parse: function 'nope' not defined \(line 2\)"):
        ChatTemplate("{{ .Prompt }}\n{{ nope }}")


def test_a_template_without_end_is_refused() -> None:
    endless = "{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}{{ .Prompt }}"
    with pytest.raises(ChatError, match="come to an end"):
        ChatTemplate(endless, bounded=True)


def test_a_template_that_renders_nothing_says_so() -> None:
    assert "renders no conversation" in ChatTemplate("{{ index .Messages 7 }}").fault


def test_dates_come_from_the_clock() -> None:
    chat = ChatTemplate("{{ currentDate }} {{ .Prompt }}", clock=lambda: datetime(2026, 1, 2))
    assert chat.render(ChatPrompt([HELLO])).text == "2026-01-02 Hello?"


def reader(template: ChatTemplate, *, in_reasoning: bool = False) -> OutputParser:
    return choose_parser(template.signs, TOOLS, in_reasoning=in_reasoning)


class Read(NamedTuple):
    """What was made of an answer."""

    content: str
    reasoning: str
    calls: list[tuple[str, Any]]


def read(parser: OutputParser, answer: str) -> Read:
    events: list[Event] = merged([event for char in answer for event in parser.push(char)] + parser.finish())
    found = [(name, json.loads(arguments)) for name, arguments in calls(events)]
    return Read(content(events), reasoning(events), found)


@pytest.mark.parametrize(
    "answer",
    [
        'Let me see. CALL!get_weather {"city": "Paris"}',
        'Let me see. CALL!{"name": "get_weather", "arguments": {"city": "Paris"}}',
        'Let me see. CALL![{"name": "get_weather", "parameters": {"city": "Paris"}}] done',
        'Let me see. CALL!\nfunction: get_weather\n```json\n{"city": "Paris"}\n```',
        'Let me see. <tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
    ],
)
def test_calls_are_read_behind_what_the_template_writes_before_them(answer: str) -> None:
    made = read(reader(ChatTemplate(ODD)), answer)
    assert made.content.strip() == "Let me see."
    assert made.calls == [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize(
    ("answer", "content"),
    [("CALL!nobody knows", "nobody knows"), ('CALL!{"city": "Paris"}', '{"city": "Paris"}'), ("No call.", "No call.")],
)
def test_what_is_no_call_is_the_answer(answer: str, content: str) -> None:
    made = read(reader(ChatTemplate(ODD)), answer)
    assert (made.content, made.calls) == (content, [])


def test_reasoning_is_read_between_what_the_template_writes_around_it() -> None:
    made = read(reader(ChatTemplate(ODD)), "(thoughts: hm, hm :thoughts)Yes.")
    assert (made.reasoning.strip(), made.content) == ("hm, hm", "Yes.")


def test_reasoning_that_the_prompt_opened_is_read() -> None:
    chat = ChatTemplate(ODD + "(thoughts:")
    rendered = chat.render(ChatPrompt([HELLO]))
    assert rendered.in_reasoning
    made = read(reader(chat, in_reasoning=True), " hm :thoughts)Yes.")
    assert (made.reasoning.strip(), made.content) == ("hm", "Yes.")


JSON_CALLS = (
    "{{ range .Messages }}{{ .Content }}{{ if .ToolCalls }}{{ range .ToolCalls }}"
    '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}{{ end }}{{ end }}{{ .Tools }}'
)


def test_a_call_without_a_marker_is_the_whole_answer() -> None:
    chat = ChatTemplate(JSON_CALLS)
    made = read(reader(chat), '{"name": "get_weather", "arguments": {"city": "Rome"}}')
    assert made.calls == [("get_weather", {"city": "Rome"})]
    assert read(reader(chat), '{"city": "Rome"}').content == '{"city": "Rome"}'


def test_a_family_that_somebody_names_reads_its_own_calls() -> None:
    signs = TemplateSigns("{{ .Prompt }}", family="qwen_coder")
    assert family_of(signs).name == "qwen_coder"
    answer = "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>"
    assert read(choose_parser(signs, TOOLS), answer).calls == [("get_weather", {"city": "Paris"})]
