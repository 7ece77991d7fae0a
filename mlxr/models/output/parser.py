"""The parser of one answer, chosen by the model's chat template."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from mlxr.models.output.events import Content, Event
from mlxr.models.output.families import gemma, harmony, json_calls, marked, tagged
from mlxr.models.output.grammar import Grammar, answer
from mlxr.models.output.reader import Reader, Step
from mlxr.models.output.schema import ArgumentTypes
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.tokenizer import Tool

REASONING = {"<think>": "</think>", "[THINK]": "[/THINK]", "<seed:think>": "</seed:think>"}

Family = Callable[[Collection[str], ArgumentTypes], Grammar]


def _untyped(build: Callable[[Collection[str]], Grammar]) -> Family:
    return lambda names, types: build(names)


HERMES = _untyped(json_calls.hermes)
FAMILIES: tuple[tuple[tuple[str, ...], Family], ...] = (
    (("<|tool_calls_section_begin|>",), _untyped(marked.kimi)),
    (("<｜tool▁calls▁begin｜>",), _untyped(marked.deepseek)),
    (("<|tool_call_start|>", "<|tool_list_start|>"), _untyped(marked.lfm)),
    (("[TOOL_CALLS]", "[AVAILABLE_TOOLS]"), _untyped(marked.mistral)),
    (("<parameter=",), tagged.qwen_coder),
    (("<arg_key>",), tagged.glm),
    (("<start_of_turn>", "<start_function_call>", "<|tool_call>"), _untyped(gemma.gemma)),
    (("<|tool_call|>", "<|tool|>", "functools"), _untyped(json_calls.bracketed)),
    (("<tool_call>",), HERMES),
    (("<|start_header_id|>", "<|python_tag|>"), _untyped(json_calls.llama3)),
)
"""What in a template tells a family; the first that fits. Without any, tools are prompted for in the Hermes form."""


class OutputParser:
    """Turns an answer's text into events as it comes.

    ``markers``: names of control tokens that the parser reads, which the detokenizer must therefore show. ``calls``:
    how many tool calls have begun. ``open_call``: whether the last of them is incomplete.
    """

    def __init__(self, grammar: Callable[[Reader], Step[None]], markers: Sequence[str]) -> None:
        self.markers = tuple(markers)
        self._reader = Reader()
        self._steps = grammar(self._reader)
        self._ended = False

    @property
    def calls(self) -> int:
        return self._reader.calls

    @property
    def open_call(self) -> bool:
        return self._reader.open_call

    def push(self, text: str) -> list[Event]:
        """The events that ``text`` makes certain."""
        self._reader.push(text)
        return self._advance()

    def finish(self, *, cut: bool = False) -> list[Event]:
        """What was held back, at the end of the answer. ``cut``: it ends for want of room."""
        self._reader.end(cut=cut)
        return self._advance()

    def _advance(self) -> list[Event]:
        if not self._ended:
            try:
                next(self._steps)
            except StopIteration:
                self._ended = True
        events, self._reader.events = self._reader.events, []
        return events


class PlainParser(OutputParser):
    """For answers in which nothing is to be found: all text is content."""

    def __init__(self) -> None:
        super().__init__(lambda reader: iter(()), ())  # type: ignore[arg-type,return-value]

    def push(self, text: str) -> list[Event]:
        return [Content(text)] if text else []

    def finish(self, *, cut: bool = False) -> list[Event]:
        return []


def choose_parser(
    source: str, tools: Sequence[Tool] = (), *, thinking: bool = False, split_reasoning: bool = True
) -> OutputParser:
    """The parser for answers to a prompt that the template ``source`` rendered.

    ``tools``: calls are looked for only if there are some. ``thinking``: the prompt ends inside a reasoning section
    (``Rendered.thinking``). ``split_reasoning`` False leaves reasoning in the text, markers and all.
    """
    if "<|channel|>" in source and "<|message|>" in source:
        grammar = partial(harmony.harmony, tools=bool(tools), split_reasoning=split_reasoning)
        return OutputParser(grammar, harmony.MARKERS)
    family = family_grammar(source, tools) if tools else Grammar()
    reasoning = {begin: end for begin, end in REASONING.items() if end in source or begin in source}
    if thinking and not reasoning:
        reasoning = {"<think>": "</think>"}
    if split_reasoning:
        family = replace(family, reasoning=reasoning)
    if not family.markers:
        return PlainParser()
    opened = next(iter(family.reasoning)) if thinking and split_reasoning else ""
    return OutputParser(partial(answer, grammar=family, opened=opened), family.markers)


def family_grammar(source: str, tools: Sequence[Tool]) -> Grammar:
    """How the family of the template ``source`` writes calls of ``tools``."""
    build = next((build for signs, build in FAMILIES if any(sign in source for sign in signs)), HERMES)
    return build({tool.name for tool in tools}, ArgumentTypes(tools))


def shown_tokens(parser: OutputParser, tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of the control tokens that ``parser`` reads, for ``Detokenizer(show=...)``."""
    found = (tokenizer.token_id(marker) for marker in parser.markers)
    return frozenset(token for token in found if token is not None) & tokenizer.special.control
