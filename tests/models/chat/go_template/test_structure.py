"""Markers of calls and reasoning, by Ollama's published tests of ``tools`` and ``thinking``."""

from __future__ import annotations

import pytest

from mlxr.models.chat.go_template import GoTemplate

CALL = '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
DEEPSEEK = (
    "{{if .ToolCalls}}<|tool▁calls▁begin|>{{range .ToolCalls}}<|tool▁call▁begin|>functionget_current_weather\n"
    '```json\n{"location": "Tokyo"}\n```<|tool▁call▁end|>\n{{end}}<|tool▁calls▁end|>{{end}}'
)


@pytest.mark.parametrize(
    ("source", "marker"),
    [
        ("{{if .ToolCalls}}{{end}}", "{"),
        ("{{if .ToolCalls}}{{range .ToolCalls}}{{ . }}{{end}}{{end}}", "{"),
        ("{{if .ToolCalls}}```json\n{{end}}", "```json"),
        ("{{if .ToolCalls}}[{{range .ToolCalls}}{{ . }}{{end}}]{{end}}", "["),
        ("{{if .ToolCalls}}\n [ {{range .ToolCalls}}{{ . }}{{end}}]{{end}}", "["),
        ("{{if .ToolCalls}}{{range .ToolCalls}}{{ . }}{{end}}]{{end}}", "{"),
        ("{{if .ToolCalls}} {{range .ToolCalls}}{{ . }}{{end}}{{end}}", "{"),
        ("{{if .ToolCalls}}{{range .ToolCalls}}\n{{ . }}\n{{end}}{{end}}", "{"),
        ("{{if .ToolCalls}}{{range .ToolCalls}}" + CALL + "{{end}}{{end}}", "{"),
        ("{{if .ToolCalls}}{{range .ToolCalls}}\r\n" + CALL + "{{end}}{{end}}", "{"),
        ("{{if .ToolCalls}}\n{{range .ToolCalls}}\n" + CALL + "\r\n{{end}}\r\n{{end}}", "{"),
        (DEEPSEEK, "<|tool▁calls▁begin|>"),
        ("{{if .ToolCalls}}{{range .ToolCalls}}<tool_call>" + CALL + "</tool_call>{{end}}{{end}}", "<tool_call>"),
        ("{{if .ToolCalls}}\n{{range .ToolCalls}}<tool_call>" + CALL + "</tool_call>{{end}}{{end}}", "<tool_call>"),
        ("{{if .ToolCalls}}First text{{if .Something}}inner{{end}}Second text{{end}}", "First text"),
        ("{{if .ToolCalls}}Action: ```json{{end}}", "Action: ```json"),
        ("{{if .ToolCalls}}functools[{{end}}", "functools["),
        ("{{if .ToolCalls}}[TOOL_CALL] [{{end}}", "[TOOL_CALL] ["),
        ("{{if .ToolCalls}}[TOOL_CALL][{{end}}", "[TOOL_CALL]["),
        ("{{ .Prompt }}", ""),
    ],
)
def test_the_marker_before_calls_is_what_the_template_writes_there(source: str, marker: str) -> None:
    assert GoTemplate(source).markers.calls == marker


INNER = "{{- $last := eq (len (slice $.Messages $i)) 1 -}}"


@pytest.mark.parametrize(
    ("inside", "markers"),
    [
        (INNER + "{{ if and $last .Thinking }} <think>{{ .Thinking }}</think> {{ end }}", ("<think>", "</think>")),
        (
            "{{- range $j, $_ := .NotMessages }}{{ if .Thinking }} <think>{{ .Thinking }}</think>{{ end }}{{ end }}",
            ("", ""),
        ),
        (
            INNER + "{{ if and $last .Thinking }} Some text before   {{ .Thinking }}    Some text after {{ end }}",
            ("Some text before", "Some text after"),
        ),
    ],
)
def test_the_markers_of_reasoning_are_what_stands_around_it(inside: str, markers: tuple[str, str]) -> None:
    source = "{{ if .Thinking}} /think {{ end }}{{- range $i, $_ := .Messages }}" + inside + "{{ end }}"
    assert GoTemplate(source).markers.reasoning == markers
