"""Ways out of Jinja's sandbox that are known, none of which a template gets through."""

from __future__ import annotations

from typing import NoReturn

import pytest

from mlxr.models.chat import ChatError, ChatTemplate
from mlxr.models.chat.environment import Sandbox
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt

TELLING = ("<class", "<module", "<function", "<built-in", "root:", "os.")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__ }}",
        "{{ messages|attr('__class__') }}",
        "{{ messages|map(attribute='__class__')|list }}",
        "{{ messages|map('attr', '__class__')|list }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ joiner.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ self.__init__.__globals__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__closure__ }}",
        "{{ strftime_now.__globals__.json }}",
        "{{ '{0.__class__}'.format(messages) }}",
        "{{ '{0.__init__.__globals__}'.format(cycler) }}",
        "{{ ('{' ~ '0.__class__}')|format(messages) }}",
        "{{ '{x.__class__}'.format_map({'x': messages}) }}",
        "{{ ('%s'|attr('format'))('{0.__class__}', messages) }}",
        "{% set f = '{0.__class__}'.format %}{{ f(messages) }}",
        "{{ (['{0.__class__}']|map('attr', 'format')|first)(1) }}",
        "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
        "{{ messages|groupby('__class__') }}",
        "{{ messages|sort(attribute='__class__') }}",
        "{{ messages|sum(attribute='__class__.__name__', start='') }}",
        "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{{ m.__call__.__func__ }}",
        "{% set g = (1 for _ in []) %}{{ g.gi_frame }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os.system('id') }}",
        "{% extends '/etc/passwd' %}",
    ],
)
def test_no_template_gets_at_pythons_own(source: str) -> None:
    try:
        template = ChatTemplate(source)
        text = template.render(ChatPrompt([ChatMessage("user", "Hi")])).text
    except ChatError:
        return
    assert not [word for word in TELLING if word in text], text


def test_no_template_changes_what_it_is_given() -> None:
    prompt = ChatPrompt([ChatMessage("user", "Hi")])
    with pytest.raises(ChatError):
        ChatTemplate("{{ messages.append(1) }}").render(prompt)
    assert prompt == ChatPrompt([ChatMessage("user", "Hi")])


def test_a_template_that_python_gives_up_on_without_a_word_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(self: Sandbox, source: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(Sandbox, "from_string", give_up)
    with pytest.raises(ChatError, match="does not parse: MemoryError"):
        ChatTemplate("{{ 'x' * 100000000 }}")
