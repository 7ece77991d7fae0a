"""Escapes what people wrote in a conversation, so that it can't become control tokens.

A template's text is parsed for control tokens after rendering, when nothing tells its words from a user's any more. So
the user's words are escaped before: the escape character, which occurs nowhere else, goes behind each character that a
control token could begin with. What a template then does with the words (trims, splits, joins, cuts a section out)
can't make a control token of them. The tokenizer takes the character out again when it encodes the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from mlxr.models.chat.errors import ChatError
from mlxr.runtime.messages.tokenizer import ChatPrompt

PRIVATE = re.compile("[\ue000-\uf8ff]")
ESCAPED = re.compile(r"\\u([ef][0-9a-f]{3})", re.IGNORECASE)
CANDIDATES = range(0xE000, 0xF900)
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
NEVER = re.compile(r"(?!)")


class ControlMarkers:
    """What of a text could become one of ``markers`` (control tokens as they are written) in a template.

    ``literals``: the template's own texts. A place where one of them stands is left as it is, since the template may
    look for it (``content.split('</think>')``), unless a control token begins like it.
    """

    def __init__(self, markers: Collection[str], literals: Collection[str]) -> None:
        self._markers = sorted(filter(None, markers))
        self._literals = frozenset(literals)
        firsts = sorted({marker[0] for marker in self._markers})
        looked_for = sorted(text for text in self._literals if text[0:1] in firsts and self._harmless(text))
        exempt = f"(?!{'|'.join(map(re.escape, looked_for))})" if looked_for else ""
        self._begins = re.compile(exempt + f"[{''.join(map(re.escape, firsts))}]") if firsts else NEVER
        self._rests = sorted(self._left_open())
        self._whole = frozenset(self._rests)
        self._lengths = sorted({len(rest) for rest in self._rests})

    def __bool__(self) -> bool:
        return bool(self._markers)

    def _harmless(self, literal: str) -> bool:
        at = bisect_left(self._markers, literal)
        longer = at < len(self._markers) and self._markers[at].startswith(literal)
        return not longer and not any(literal.startswith(marker) for marker in self._markers)

    def _left_open(self) -> set[str]:
        """Returns what completes a control token that the template has begun: its ``'<|'`` before a name, say."""
        begun: dict[str, set[str]] = {}
        for marker in self._markers:
            for length in range(1, len(marker)):
                begun.setdefault(marker[:length], set()).add(marker[length:])
        ends = {literal[-length:] for literal in self._literals for length in range(1, min(64, len(literal)) + 1)}
        return {rest for end in ends for rest in begun.get(end, ())}

    def escaped(self, text: str, escape: str) -> str:
        """Returns ``text`` with ``escape`` in it."""
        changed = self._begins.sub(rf"\g<0>{escape}", text)
        begin = text.strip()
        if self._rests and begin and begin not in self._literals and self._continues(begin):
            spaces = len(changed) - len(changed.lstrip())
            changed = f"{changed[:spaces]}{escape}{changed[spaces:]}"
        return changed

    def _continues(self, text: str) -> bool:
        at = bisect_left(self._rests, text)
        if at < len(self._rests) and self._rests[at].startswith(text):
            return True
        return any(text[:length] in self._whole for length in self._lengths)


class Escaper:
    """Escapes the texts of one conversation with one character.

    ``character`` is empty where there are no control tokens: then every text stays as it is.
    """

    def __init__(self, markers: ControlMarkers, character: str) -> None:
        self.character = character
        self._markers = markers

    def text(self, text: str) -> str:
        """Returns ``text`` with the escape character in it. Text that was escaped before, or that holds the character
        on its own (``choose_escape`` may not see it in what is encoded several times over), is escaped all the same."""
        return self._markers.escaped(text, self.character) if self.character and text else text

    def value(self, value: Any) -> Any:
        """Returns a JSON value, its keys and texts escaped."""
        if not self.character:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key) if isinstance(key, str) else key: self.value(item) for key, item in value.items()}
        return value

    def json(self, text: str) -> str:
        """JSON text, escaped within its strings."""
        return JSON_STRING.sub(lambda found: f'"{self.text(found[0][1:-1])}"', text) if self.character else text


NO_ESCAPER = Escaper(ControlMarkers((), ()), "")


def choose_escape(markers: ControlMarkers, prompt: ChatPrompt, source: str) -> str:
    """Returns a character that occurs neither in ``prompt`` nor in the template ``source``. Raises ``ChatError`` if
    none is left."""
    if not markers:
        return ""
    used: set[int] = set()
    for text in (*texts_of(prompt), source):
        if not text.isascii():
            used.update(map(ord, PRIVATE.findall(text)))
        if "\\u" in text or "\\U" in text:
            used.update(int(code, 16) for code in ESCAPED.findall(text))
        if "%" in text:
            used.update(map(ord, PRIVATE.findall(unquote(text, errors="replace"))))
    free = next((code for code in CANDIDATES if code not in used), None)
    if free is None:
        raise ChatError("the conversation uses every character of Unicode's private area (U+E000 to U+F8FF)")
    return chr(free)


def texts_of(prompt: ChatPrompt) -> Iterator[str]:
    """Yields all that people wrote in ``prompt``."""
    for message in prompt.messages:
        yield from (message.content, message.reasoning, message.tool_call_id or "", message.name or "")
        for call in message.tool_calls:
            yield from (call.id or "", call.name, call.arguments)
    for tool in prompt.tools:
        yield from (tool.name, tool.description, bytes(tool.parameters).decode("utf-8", "replace"))
    yield from _texts_in(prompt.template_args)


def _texts_in(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts_in(key)
            yield from _texts_in(item)
