"""Chat templates of a request's own: parsed, probed and rendered."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.fuzz.asked import TEMPLATES, AskedKind
from tests.fuzz.mutations import mutated_text

SMALL = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|a|>{% endif %}",
    "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = 1 %}{{ ns.x }}{{ m['content'] }}{% endfor %}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(messages[0].content) | trim }}{{ tools | tojson if tools }}",
    "{% for t in tools or [] %}<parameter={{ t.function.parameters.properties.items() }}>{% endfor %}{{ messages }}",
)  # fmt: skip
GO = (
    "{{ range $i, $m := .Messages }}<|{{ $m.Role }}|>{{ .Content }}{{ with .ToolCalls }}{{ json . }}{{ end }}{{ end }}",
    "{{ if .System }}{{ .System }}{{ end }}{{ if .Prompt }}[{{ .Prompt }}]{{ end }}{{ .Response }}!",
    '{{ define "t" }}{{ . | printf "%q" }}{{ end }}{{ range .Messages }}{{ template "t" .Content }}{{ end }}',
    '{{ with $x := index .Messages 0 }}{{ slice $x.Content 0 1 }}{{ eq $x.Role "user" | not }}{{ end }}{{ .Tools }}',
)  # fmt: skip
"""In Ollama's language."""
GO_WORDS = (
    "{{ ", " }}", "{{- ", " -}}", "{{/* */}}", "{{ end }}", "{{ else }}", "{{ if .Tools }}", "{{ range .Messages }}",
    "{{ break }}", "{{ continue }}", "{{ $x := 1 }}", "{{ $x = $x }}", "{{ . }}", "{{ json . }}", "|", "(", ")",
    "{{ $ }}",
    '{{ printf "%999d" 1 }}', '{{ printf "%*d" 9 9 }}', "{{ index .Messages 99 }}", "{{ slice .Tools 1 }}", "{{ nil }}",
    '{{ block "b" . }}', '{{ template "b" . }}', "`", '"', "'", "{{ .Messages.Role }}", "{{ js . }}",
    "{{ call .Tools }}",
    "{{ urlquery . }}", "{{ html . }}", "{{ len .Content }}", "{{ toTypeScriptType . }}", "{{ currentDate }}", "\\x",
    "{{ 0x }}", "{{ 1e999 }}", "{{ 'a' }}", "{{ .Function.Parameters.Properties }}", "{{ lt 1 2.0 }}",
    "{{ " + "(" * 99,
    "{{ if . }}" * 99,
)  # fmt: skip
ENDLESS = (
    "{{ range 99999999 }}{{ range 99999999 }}{{ end }}{{ end }}{{ .Prompt }}",
    '{{ define "f" }}{{ template "f" . }}{{ end }}{{ template "f" . }}{{ .Prompt }}',
    '{{ $x := "a" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}{{ .Prompt }}',
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set n=3 %}{% set x = n**(20000000) %}",
    "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "{{ (messages * 9999)|sort(attribute='content')|map('tojson')|join|wordcount }}",
    "{{ ('a'*9999).join('b'*9999) }}",
    "{{ 9999999999**9999999 }}",
    "{{ messages|slice(10**9)|list }}",
    "{{ messages|batch(10**9, 'x')|list }}",
)
"""What only a limit on processor time ends: few of them, for each takes that long."""
ENDLESS_SHARE = 0.001
WORDS = (
    "{{ 10**5000 }}", "{{ 'a'*10**9 }}", "{{ 'a'.center(10**9) }}",
    "{{ 'a'.ljust(10**9) }}", "{{ '1'.zfill(10**9) }}", "{{ '\\t'.expandtabs(10**9) }}", "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}", "{{ 1 << 10**9 }}",
    "{{ range(10**9)|list }}",
    "{{ '('*300 }}", "{{ " + "("*300 + "1" + ")"*300 + " }}", "{% for i in [1] %}" * 100 + "{% endfor %}" * 100,
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ raise_exception(1) }}", "{{ strftime_now('%' * 999) }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ cycler.__init__.__globals__ }}",
    "{{ messages|attr('__class__') }}", "{{ self }}", "{% include 'x' %}", "{% import 'x' as y %}",
    "{{ lipsum(99999) }}", "{{ 1/0 }}", "{{ [].pop() }}", "{{ messages|map(attribute='x')|list }}",
    "{% set messages = 1 %}", "{{ none.x }}", "{{ 'a'|wordwrap(1) }}", "{{ {}|tojson(indent=10**9) }}",
    "{{ 'x'|indent(10**9) }}", "{{ 'a'|replace('', 'b'*99999) }}", "{{ ['a']*10**8 }}", "{{ (1,)*10**8 }}",
    "{{ 'ab'|center(10**9) }}", "{{ '{0:{1}}'.format(1, 10**9) }}", "{{ -1 }}",
    "{% raw %}", "{% endfor %}", "{%- -%}", "{# #}", "{{", "}}", "{% generation %}", "{% endgeneration %}",
    "{% break %}", "{% continue %}", "{{ loop }}", "\0", "{% filter upper %}", "{{ messages|groupby('role') }}",
    "{{ messages|sum }}", "{{ 'a'.translate({97: 'b'*10**6}) }}", "{{ 2.0**9999 }}",
    "{{ messages|tojson|tojson|tojson }}", "{{ namespace(a=namespace) }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns.a|tojson }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}", "{{ dict(a=1)|xmlattr }}", "{{ 'a'|urlize }}",
    "{{ joiner('a')() }}", "{{ 'a'|truncate(-1) }}", "{{ 10**4000|string }}",
)  # fmt: skip

MILD = tuple(word for word in WORDS if "10**" not in word and "999" not in word)
"""Those that no limit has to end, mostly."""


class Templates(AskedKind):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._valid = [path.read_text() for path in sorted(TEMPLATES.glob("*.jinja"))]
        self._go = [path.read_text() for path in sorted(TEMPLATES.parent.glob("go_templates/*/*.gotmpl"))]

    def make(self, random: Random) -> bytes:
        if random.random() < 0.3:
            go = random.choice(GO if random.random() < 0.9 else self._go)
            return mutated_text(random, go, GO_WORDS).encode("utf-8", "replace")
        source = random.choice(SMALL if random.random() < 0.9 else self._valid)
        if random.random() < ENDLESS_SHARE:
            return (source + random.choice(ENDLESS)).encode()
        if random.random() < 0.1:
            at = random.choice((0, len(source)))
            return (source[:at] + random.choice(WORDS) + source[at:]).encode("utf-8", "replace")
        return mutated_text(random, source, MILD).encode("utf-8", "replace")

    def read(self, data: bytes) -> None:
        self.asked.render(data.decode(), tools=len(data) % 2 == 0)
