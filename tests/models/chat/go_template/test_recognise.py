from __future__ import annotations

import pytest

from mlxr.models.chat.go_template import is_go
from tests.models.chat.conversations import NAMES, template
from tests.models.chat.go_template.data import PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_go_templates_are_gos(name: str) -> None:
    assert is_go((PUBLISHED[name] / "template.gotmpl").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_published_jinja_templates_are_jinja(name: str) -> None:
    assert not is_go(template(name).source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ .Prompt }}",
        "{{- range .Messages }}{{ end }}",
        "{{ if .System }}{{ end }}",
        "{{/* nothing */}}",
        "{{ $.System }}",
        "{{ currentDate }}",
        '{{ eq .Role "user" }}',
        "{{ . }}",
        "{{ if and .System (not .Tools) }}x{{ else if .Tools }}y{{ end }}",
    ],
)
def test_what_only_go_writes_is_gos(source: str) -> None:
    assert is_go(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{{ m.content }}{{ range(3) | length }}{{ template }}{% endfor %}",
        "{{ messages[0].content }}",
        "{{ index }}{{ not_so }}{{ end_token }}{{ bos_token }}",
        "{# {{ .Prompt }} #}{% if messages %}Write {{ '{{ .Name }}' }}{% endif %}",
        "no template at all",
        "",
    ],
)
def test_what_jinja_writes_is_not(source: str) -> None:
    assert not is_go(source)
