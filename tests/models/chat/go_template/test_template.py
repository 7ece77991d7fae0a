"""Go templates, held against what Ollama publishes and what Go's own ``text/template`` makes of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from mlxr.models.chat.go_template import GoTemplate, GoTemplateError
from mlxr.models.chat.go_template.evaluator import Bounds, execute
from mlxr.models.chat.go_template.functions import functions
from mlxr.models.chat.go_template.ollama_values import collate, plain
from mlxr.models.chat.go_template.parser import parse
from tests.models.chat.go_template.data import CASES, CONVERSATIONS, DATA, PUBLISHED, SPACED, TOOLS, TURNS


def clock() -> datetime:
    return datetime(2026, 1, 2)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("turns", TURNS)
def test_published_templates_are_rendered_to_ollamas_bytes(name: str, turns: str) -> None:
    folder = PUBLISHED[name]
    text = GoTemplate((folder / "template.gotmpl").read_bytes().decode()).render(TURNS[turns])
    if name in SPACED:
        text = text.removesuffix(" ")
    assert text.encode() == (folder / f"{turns}.txt").read_bytes()


def test_templates_write_what_go_writes_and_fail_where_it_fails() -> None:
    assert len(CASES) > 300
    assert [case["template"] for case in CASES if made(case) != case.get("text")] == []


def made(case: dict[str, Any]) -> str | None:
    """What this project makes of a case; None where it fails."""
    try:
        if "over" in case:
            known = functions(clock)
            return execute(parse(case["template"], known), plain(DATA), known, Bounds())
        template = GoTemplate(case["template"], clock)
        if "prompt" in case:
            return template.fill(case["prompt"], case["suffix"])
        tools = TOOLS if case.get("tools") else None
        messages = CONVERSATIONS[case["messages"]]
        return template.render(messages, tools=tools, think=case.get("think"), level=case.get("level", ""))
    except GoTemplateError:
        return None


INST = "[INST] {{ if .System }}{{ .System }}\n\n{{ end }}"
LOOP = (
    INST + '\n{{- range .Messages }}\n{{- if eq .Role "user" }}{{ .Content }}[/INST] '
    '{{ else if eq .Role "assistant" }}{{ .Content }}[INST] {{ end }}\n{{- end }}'
)
CHATML = (
    "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ if .Prompt }}<|im_start|>user\n"
    "{{ .Prompt }}<|im_end|>\n{{ end }}<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
)
CHATML_LOOP = (
    "\n{{- range $index, $_ := .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
FRIEND, HUMAN, NAME = "Hello friend!", "Hello human!", "What is your name?"
TALK = [{"role": "user", "content": FRIEND}, {"role": "assistant", "content": HUMAN}, {"role": "user", "content": NAME}]
SYSTEM = {"role": "system", "content": "You are a helpful assistant!"}


@pytest.mark.parametrize(
    "source", [INST + "{{ .Prompt }}[/INST] ", INST + "{{ .Prompt }}[/INST] {{ .Response }}", LOOP]
)
def test_templates_of_one_turn_and_of_messages_agree(source: str) -> None:
    """Ollama's ``TestExecuteWithMessages``."""
    template = GoTemplate(source)
    assert template.render(TALK) == f"[INST] {FRIEND}[/INST] {HUMAN}[INST] {NAME}[/INST] "
    text = template.render([SYSTEM, *TALK])
    assert text == f"[INST] You are a helpful assistant!\n\n{FRIEND}[/INST] {HUMAN}[INST] {NAME}[/INST] "


@pytest.mark.parametrize("source", [CHATML, CHATML_LOOP])
def test_what_stands_behind_the_answer_is_cut_from_the_last_turn(source: str) -> None:
    """Ollama's ``TestExecuteWithMessages``, chatml."""
    turns = [("system", SYSTEM["content"]), ("user", FRIEND), ("assistant", HUMAN), ("user", NAME)]
    said = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)
    assert GoTemplate(source).render([SYSTEM, *TALK]) == said + "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "source",
    [
        "[INST] {{ .Prompt }}[/INST] ",
        "[INST] {{ .Prompt }}[/INST] {{ .Response }}",
        '\n{{- range $i, $m := .Messages }}\n{{- if eq .Role "user" }}[INST] {{ .Content }}[/INST] '
        '{{ else if eq .Role "assistant" }}{{ .Content }}{{ end }}\n{{- end }}',
    ],
)
def test_an_answer_that_was_begun_is_the_prompts_end(source: str) -> None:
    """Ollama's ``TestExecuteWithMessages``, mistral assistant."""
    begun = {"role": "assistant", "content": "My name is Ollama and I"}
    expected = f"[INST] {FRIEND}[/INST] {HUMAN}[INST] {NAME}[/INST] My name is Ollama and I"
    assert GoTemplate(source).render([*TALK, begun]) == expected


def test_filling_in_has_a_branch_of_its_own() -> None:
    """Ollama's ``TestExecuteWithSuffix``."""
    source = "{{- if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>\n{{- else }}{{ .Prompt }}\n{{- end }}"
    template = GoTemplate(source)
    assert template.fills
    assert template.render([{"role": "user", "content": "hello"}]) == "hello"
    assert template.fill("def add(", "return x") == "<PRE> def add( <SUF>return x <MID>"


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("{{ .Prompt }}", {"prompt", "response"}),
        ("{{ .System }} {{ .Prompt }}", {"prompt", "response", "system"}),
        ("{{ .System }} {{ .Prompt }} {{ .Response }}", {"prompt", "response", "system"}),
        ("{{ with .Tools }}{{ . }}{{ end }} {{ .System }} {{ .Prompt }}", {"prompt", "response", "system", "tools"}),
        ("{{ range .Messages }}{{ .Role }} {{ .Content }}{{ end }}", {"content", "messages", "role"}),
        (
            '{{ range .Messages }}{{ if eq .Role "tool" }}{{ .ToolName }} {{ .Content }}{{ end }}{{ end }}',
            {"content", "messages", "role", "toolname"},
        ),
        (
            "{{- if .Messages }}{{- range .Messages }}{{ .Role }}{{ .Content }}{{ end }}{{ else -}}{{ if .System }}"
            "{{ .System }}{{ end }}{{ if .Prompt }}{{ .Prompt }}{{ end }}{{ .Response }}{{- end -}}",
            {"content", "messages", "prompt", "response", "role", "system"},
        ),
    ],
)
def test_a_template_says_which_variables_it_knows(source: str, variables: set[str]) -> None:
    """Ollama's ``TestParse``."""
    assert GoTemplate(source).variables == variables


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ .Prompt ", "unclosed action"),
        ('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "undefined template specified"),
        ("one\ntwo {{ if .A }}\n{{ nope }}{{ end }}", r"function 'nope' not defined \(line 3\)"),
        ("{{ if .A }}", "has no {{end}}"),
        ("{{ end }}", "ends nothing"),
        ("{{ break }}", "outside {{range}}"),
    ],
)
def test_a_template_that_is_none_is_refused_with_its_line(source: str, said: str) -> None:
    with pytest.raises(GoTemplateError, match=said):
        GoTemplate(source)


def test_neighbours_of_one_role_are_one_message_but_for_results_of_tools() -> None:
    """Ollama's ``TestCollate``."""
    given = [
        {"role": "system", "content": "You are helpful"},
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "How are you?"},
        {"role": "tool", "content": "sunny", "name": "get_conditions"},
        {"role": "tool", "content": "72F", "name": "get_temperature"},
    ]
    system, messages = collate(given)
    assert system == "You are helpful"
    assert [message["content"] for message in messages] == [
        "You are helpful",
        "Hello\n\nHow are you?",
        "sunny",
        "72F",
    ]
    assert given[1]["content"] == "Hello"


def test_dates_are_todays_and_yesterdays() -> None:
    source = "{{- range .Messages }}{{ .Content }}{{ end }} {{ currentDate }} {{ yesterdayDate }}"
    assert GoTemplate(source, clock).render([{"role": "user", "content": "Hi"}]) == "Hi 2026-01-02 2026-01-01"


def test_typescript_types_of_tools_are_written() -> None:
    source = (
        "{{ range .Messages }}{{ end }}{{ range .Tools }}"
        "{{ range $name, $property := .Function.Parameters.Properties }}"
        "{{ $name }}: {{ toTypeScriptType $property }}; {{ end }}{{ end }}"
    )
    text = GoTemplate(source).render([{"role": "user", "content": "Hi"}], tools=TOOLS)
    assert text == "city: string; days: number | null; l: any[]; o: Record<string, any>; "


ENDLESS = [
    '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}',
    "{{ range 1000000000 }}{{ end }}{{ .Messages }}",
    "{{ range 20000 }}{{ range 20000 }}{{ range 20000 }}{{ end }}{{ end }}{{ end }}{{ .Messages }}",
    '{{ define "t" }}{{ template "u" . }}{{ template "u" . }}{{ end }}{{ define "u" }}{{ end }}'
    + "{{ range 2000000 }}" * 3 + '{{ template "t" . }}' + "{{ end }}" * 3 + "{{ .Messages }}",
    '{{ $x := "a" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ $x }}{{ .Messages }}',
    '{{ range 100000 }}{{ printf "%900d" 1 }}{{ end }}{{ .Messages }}',
]  # fmt: skip


@pytest.mark.parametrize("source", ENDLESS)
def test_a_template_without_end_is_ended(source: str) -> None:
    template = GoTemplate(source, bounds=lambda: Bounds(steps=100_000, text=1 << 20))
    with pytest.raises(GoTemplateError):
        template.render([{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize("source", ["{{ if .A }}" * 5000, "{{ " + "(" * 5000, "{{ (" * 5000, "{{/*" * 5000])
def test_a_template_that_is_nested_without_end_is_refused(source: str) -> None:
    with pytest.raises(GoTemplateError):
        GoTemplate(source)


def test_bounds_that_are_over_stay_so() -> None:
    bounds = Bounds(steps=10)
    template = GoTemplate("{{ range 100 }}{{ end }}{{ .Messages }}", bounds=lambda: bounds)
    for _ in range(2):
        with pytest.raises(GoTemplateError, match="does not come to an end"):
            template.render([{"role": "user", "content": "Hi"}])
    assert bounds.over


def test_tools_are_json_with_the_fields_that_ollama_knows() -> None:
    source = "{{ range .Messages }}{{ end }}{{ range .Tools }}{{ .Function.Parameters.Properties }}{{ end }}"
    text = GoTemplate(source).render([{"role": "user", "content": "Hi"}], tools=TOOLS[:1])
    assert json.loads(text)["city"] == {"type": "string", "description": "A & B"}
