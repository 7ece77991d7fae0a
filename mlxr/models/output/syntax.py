"""The course of an answer: reasoning, text and tool calls in any order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers

FENCE = "```"
"""Begins code blocks, which are as good as content as they are as calls."""
CONTROL_TOKEN = re.compile(r"<[^<>\s]+>")
Handler = Callable[[Reader, str], Parse[None]]
"""Reads what follows the marker (its second argument) that opened a call."""
Bare = Callable[[Reader], Parse[bool]]
"""Reads an answer that is a call without any marker; False, with nothing taken, where it is none."""


@dataclass(frozen=True, slots=True)
class OutputSyntax:
    """What structures a family's answers.

    Attributes:
        reasoning: opening to closing markers.
        calls: opening markers and what reads on from them.
        stray: markers that mean nothing by themselves, and are left out.
        bare: for families whose calls are the whole answer.
    """

    reasoning: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Handler] = field(default_factory=dict)
    stray: tuple[str, ...] = ()
    bare: Bare | None = None

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.reasoning, *self.reasoning.values(), *self.calls, *self.stray)))

    @property
    def tokens(self) -> tuple[str, ...]:
        """Names of the control tokens that markers may be, or begin with (``<|channel>thought``)."""
        heads = (match[0] for marker in self.markers if (match := CONTROL_TOKEN.match(marker)))
        return tuple(dict.fromkeys((*self.markers, *heads)))


def answer(reader: Reader, syntax: OutputSyntax, opened: str) -> Parse[None]:
    """Reads one answer. ``opened``: the reasoning marker that the prompt ended with, or empty."""
    reader.hold_space = bool(syntax.calls)
    reader.markers = tuple(marker for marker in syntax.markers if not marker.startswith(FENCE))
    everything = Markers(syntax.markers)
    if opened:
        yield from _reasoning(reader, syntax.reasoning[opened])
    while True:
        if reader.fresh and syntax.bare is not None and (yield from syntax.bare(reader)):
            continue
        marker = yield from reader.until(everything, reader.content)
        if not marker:
            reader.flush()
            return
        if marker in syntax.reasoning:
            yield from _reasoning(reader, syntax.reasoning[marker])
        elif marker in syntax.calls:
            yield from syntax.calls[marker](reader, marker)


def _reasoning(reader: Reader, close: str) -> Parse[None]:
    reader.boundary()
    yield from reader.until(Markers((close,)), reader.reasoning)
    reader.boundary()
