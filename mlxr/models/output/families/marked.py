"""A name, a separator, JSON: Mistral, DeepSeek, Kimi; and LFM2's Python calls between markers."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.output.calls import Outcome, json_block, loose_block, stream_arguments
from mlxr.models.output.families.json_calls import between
from mlxr.models.output.grammar import Grammar, Handler
from mlxr.models.output.reader import Markers, Reader, Step, ignore

MISTRAL = "[TOOL_CALLS]"
MISTRAL_END = Markers(("</s>",))
MISTRAL_NAME_END = Markers(("[ARGS]", "[CALL_ID]", "{", MISTRAL))
ARGS = Markers(("[ARGS]",))

DEEPSEEK_BEGIN = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool_calls_begin｜>",
    "<｜tool calls begin｜>",
    "<|tool_calls_begin|>",
)
DEEPSEEK_END = tuple(marker.replace("begin", "end") for marker in DEEPSEEK_BEGIN)
DEEPSEEK_CALL = "<｜tool▁call▁begin｜>"
DEEPSEEK_SEPARATOR = "<｜tool▁sep｜>"
DEEPSEEK_CALL_END = "<｜tool▁call▁end｜>"
FENCE = ("```json", "```")

KIMI_BEGIN = "<|tool_calls_section_begin|>"
KIMI_END = "<|tool_calls_section_end|>"
KIMI_CALL = "<|tool_call_begin|>"
KIMI_ARGUMENTS = "<|tool_call_argument_begin|>"
KIMI_CALL_END = "<|tool_call_end|>"

LFM_BEGIN = "<|tool_call_start|>"
LFM_END = "<|tool_call_end|>"


def mistral(names: Collection[str]) -> Grammar:
    return Grammar(calls={MISTRAL: mistral_call}, stray=("[ARGS]", "[CALL_ID]", "[/TOOL_CALLS]"))


def mistral_call(reader: Reader, marker: str) -> Step[None]:
    """``[TOOL_CALLS]`` with ``name[ARGS]{...}``, or with a JSON list in models before v11."""
    if (yield from reader.skip_space()) in ("{", "["):
        yield from json_block(reader, MISTRAL_END)
        return
    name, end = yield from reader.collect(MISTRAL_NAME_END)
    if end == "[CALL_ID]":
        _, end = yield from reader.collect(ARGS)
    if end == "{":
        reader.skip(-1)
    if not _is_name(name.strip()) or end in ("", MISTRAL):
        _no_call(reader, name, end)
        reader.skip(-len(end) if end == MISTRAL else 0)
        return
    yield from _named(reader, name.strip(), MISTRAL_END)


def deepseek(names: Collection[str]) -> Grammar:
    calls: dict[str, Handler] = {DEEPSEEK_CALL: deepseek_call, "<tool_call>": between("</tool_call>")}
    stray = (*DEEPSEEK_BEGIN, *DEEPSEEK_END, DEEPSEEK_SEPARATOR, DEEPSEEK_CALL_END, "</tool_call>")
    return Grammar(calls=calls, stray=stray)


def deepseek_call(reader: Reader, marker: str) -> Step[None]:
    """V3.1: name, separator, JSON. R1 and V3: type, separator, name, JSON in a code fence."""
    end = Markers((DEEPSEEK_CALL_END, *DEEPSEEK_END))
    name, separator = yield from reader.collect(Markers((DEEPSEEK_SEPARATOR, *end.strings)))
    if separator == DEEPSEEK_SEPARATOR and (yield from reader.skip_space()) not in ("{", "`"):
        name, separator = yield from reader.collect(Markers(("\n", "```", *end.strings)))
    if not separator or separator in end.strings or not _is_name(name.strip()):
        _no_call(reader, name, separator)
        return
    yield from reader.skip_space()
    yield from reader.accept(*FENCE)
    if (yield from reader.peek(4)) == "json":
        reader.skip(4)
    yield from _named(reader, name.strip(), end)


def kimi(names: Collection[str]) -> Grammar:
    return Grammar(
        calls={KIMI_CALL: kimi_call, "<tool_call>": between("</tool_call>")},
        stray=(KIMI_BEGIN, KIMI_END, KIMI_ARGUMENTS, KIMI_CALL_END, "</tool_call>"),
    )


def kimi_call(reader: Reader, marker: str) -> Step[None]:
    """``functions.name:0``, then the arguments."""
    end = Markers((KIMI_CALL_END, KIMI_END))
    name, separator = yield from reader.collect(Markers((KIMI_ARGUMENTS, *end.strings)))
    name = name.strip().removeprefix("functions.").partition(":")[0]
    if separator != KIMI_ARGUMENTS or not _is_name(name):
        _no_call(reader, name, separator)
        return
    yield from _named(reader, name, end)


def lfm(names: Collection[str]) -> Grammar:
    return Grammar(
        calls={LFM_BEGIN: lfm_call, "<tool_call>": between("</tool_call>")},
        stray=(LFM_END, "</tool_call>"),
    )


def lfm_call(reader: Reader, marker: str) -> Step[None]:
    """``[f(a="b"), g()]``, which is Python; or JSON, where the system prompt asks for it."""
    yield from loose_block(reader, Markers((LFM_END,)))


def _named(reader: Reader, name: str, end: Markers) -> Step[None]:
    """The arguments of a call whose name is known, and what closes it."""
    reader.call(name)
    outcome = yield from stream_arguments(reader)
    if outcome is Outcome.WHOLE:
        reader.call_done()
        yield from reader.skip_space()
        yield from reader.accept("```")
        yield from reader.skip_space()
        yield from reader.accept(*end.strings)
    else:
        yield from reader.until(end, ignore)


def _no_call(reader: Reader, text: str, end: str) -> None:
    """What stands where a name should is content, unless the answer ended (``end`` is empty) within a name."""
    if end or not _is_name(text.strip()):
        reader.leftover(text)


def _is_name(text: str) -> bool:
    return bool(text) and not any(char.isspace() for char in text)
