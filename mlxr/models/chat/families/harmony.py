"""gpt-oss: every message has a header with its channel and recipient, ended by ``<|message|>``.

Source: OpenAI's harmony response format. ``analysis`` is reasoning, ``final`` is the answer, ``commentary`` is a
function call where it has a recipient and part of the answer (a preamble) where it has none.
"""

from __future__ import annotations

import re

from mlxr.models.chat.call_forms.call_format import CallFormat, around
from mlxr.models.chat.families.family import Channels, Family
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.output.calls import CallOutcome, stream_arguments
from mlxr.models.output.incremental_reader import Parse, Reader, Sink, ignore
from mlxr.models.output.markers import Markers

START, CHANNEL, MESSAGE, CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
ENDS = ("<|end|>", "<|call|>", "<|return|>")
MARKERS = (START, CHANNEL, MESSAGE, CONSTRAIN, *ENDS)
EVERY = Markers(MARKERS)
HEADER_BEGINS = (CHANNEL, START, "to=")
HEADER_END = Markers((MESSAGE, *ENDS))
BODY_ENDS = (*ENDS, START, CHANNEL)
RECIPIENT = re.compile(r"to=([^\s<]+)")
CHANNEL_NAME = re.compile(r"<\|channel\|>\s*(\w+)")
PREFIX = "functions."
FINAL = f"{CHANNEL}final{MESSAGE}"
ANALYSIS = (f"{CHANNEL}analysis{MESSAGE}", "<|end|>")


def read(reader: Reader, *, tools: bool, split_reasoning: bool) -> Parse[None]:
    """Reads one answer, from behind the prompt's ``<|start|>assistant``."""
    reader.hold_space = True
    reader.markers = MARKERS
    header = yield from _first_header(reader)
    while header is not None:
        recipient = RECIPIENT.search(header)
        channel = CHANNEL_NAME.search(header)
        name = channel[1] if channel else "final"
        if recipient is not None and tools and recipient[1] != "assistant":
            yield from _call(reader, recipient[1].removeprefix(PREFIX))
        else:
            hidden = name == "analysis" or recipient is not None
            reader.boundary()
            yield from _body(reader, reader.reasoning if hidden and split_reasoning else reader.content)
            reader.boundary()
        header = yield from _header(reader)
    reader.flush()


def _first_header(reader: Reader) -> Parse[str | None]:
    """Reads the header of the first message; text with none (the prompt had it) is the answer."""
    reader.mark()
    yield from reader.skip_space()
    if (yield from reader.accept(*HEADER_BEGINS)):
        reader.rewind()
        return (yield from _header(reader))
    if reader.cut_within(*HEADER_BEGINS):
        return None
    reader.rewind()
    marker = yield from reader.until(EVERY, reader.content)
    if not marker:
        return None
    reader.skip(-len(marker))
    return (yield from _header(reader))


def _header(reader: Reader) -> Parse[str | None]:
    """Text up to ``<|message|>``; None at the end of all text."""
    while True:
        header, marker = yield from reader.collect(HEADER_END)
        if marker == MESSAGE:
            return header
        if not marker:
            return None


def _body(reader: Reader, sink: Sink) -> Parse[None]:
    """Reads a message's text; the marker of a header that follows without an end is left in place."""
    while marker := (yield from reader.until(EVERY, sink)):
        if marker in BODY_ENDS:
            reader.skip(-len(marker) if marker == CHANNEL else 0)
            return


def _call(reader: Reader, name: str) -> Parse[None]:
    reader.call(name)
    outcome = yield from stream_arguments(reader)
    if outcome is CallOutcome.WHOLE:
        reader.call_done()
    yield from _body(reader, ignore)


def write_call(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
    """Writes a call: the recipient stands in the header, and ``<|call|>`` ends the turn."""
    header = [CHANNEL, f"commentary to={PREFIX}{name} ", CONSTRAIN, "json", MESSAGE]
    return around(lambda _: header)(lark, name, rule, schema)


def analysis(lark: LarkTerms, budget: int | None = None) -> tuple[str, list[str]]:
    """Returns a term for what gpt-oss may think before it answers or calls, and its rules. With a ``budget`` the rules
    only begin behind the analysis, which ends itself: with the header of the message that follows."""
    again = lark.terms(START, "assistant")
    if budget is not None:
        return "again?", [f"again: {again}"]
    thoughts, rules = lark.up_to("thoughts", "<|end|>")
    opening = lark.terms(CHANNEL, "analysis", MESSAGE)
    return "reasoning?", [f"reasoning: {opening} {thoughts} {again}", rules]


def final_term(lark: LarkTerms) -> str:
    return lark.terms(CHANNEL, "final", MESSAGE)


FAMILY = Family(
    name="harmony",
    signs=((CHANNEL, MESSAGE),),
    formats=(((), CallFormat(write_call, between=None)),),
    channels=Channels(
        read=read,
        markers=MARKERS,
        reasoning=ANALYSIS,
        reasoning_sign=f"{CHANNEL}analysis",
        final=FINAL,
        analysis=analysis,
        final_term=final_term,
    ),
)
