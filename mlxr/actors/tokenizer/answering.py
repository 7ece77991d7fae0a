"""How one request's answer is to be read and what it is held to: parser, shown markers, constraint."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.tokenizer.text import Encoded
from mlxr.models.chat.capabilities import REASONING
from mlxr.models.constraints import FREE, ConstraintError, Thinking, after_reasoning, check, force_tools, offer_tools
from mlxr.models.output import OutputParser, choose_parser, shown_tokens
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, Prompt, Tool

UNFORCED = ("auto", "none")


@dataclass(frozen=True, slots=True)
class Answering:
    """Makes the parser of each choice. ``one_call``: a second tool call ends the answer. ``only_calls``: the answer is
    held to tool calls.
    """

    source: str
    tools: list[Tool]
    thinking: bool
    split_reasoning: bool
    constraint: Constraint | None = None
    one_call: bool = False
    only_calls: bool = False

    @classmethod
    def of(cls, command: Generate, encoded: Encoded, tokenizer: Tokenizer) -> Answering:
        """Raises ``RequestError`` for an output format or tools that can't be had."""
        prompt = command.prompt
        try:
            if not isinstance(prompt, ChatPrompt):
                return cls("", [], False, False, _checked(command.constraint))
            tools = prompt.tools if prompt.tool_choice != "none" else []
            constraint = _constraint(command, prompt, encoded, tokenizer)
            split, one_call = command.split_reasoning, not prompt.several_calls
            forced = forced_tools(prompt)
            return cls(encoded.source, tools, encoded.thinking, split, constraint, one_call, forced)
        except ConstraintError as error:
            tools_field = "tool_choice" if forced_tools(prompt) else "tools"
            field = command.constraint.field if command.constraint else tools_field
            raise RequestError(ErrorInfo(ErrorCode.INVALID, f"`{field}`: {error}", field)) from error

    def parser(self) -> OutputParser:
        return choose_parser(self.source, self.tools, thinking=self.thinking, split_reasoning=self.split_reasoning)

    def shown(self, tokenizer: Tokenizer) -> frozenset[int]:
        """Control tokens whose names the parser reads."""
        return shown_tokens(self.parser(), tokenizer)


def forced_tools(prompt: Prompt) -> bool:
    return isinstance(prompt, ChatPrompt) and prompt.tool_choice not in UNFORCED


def _constraint(command: Generate, prompt: ChatPrompt, encoded: Encoded, tokenizer: Tokenizer) -> Constraint | None:
    """What holds the answer to its format, its tools and its budget for reasoning; None where nothing does."""
    thinking = _thinking(prompt, encoded)
    budget = prompt.thinking_budget if thinking is not Thinking.OFF else 0
    source, answer = encoded.source, _checked(command.constraint)
    tools = prompt.tools if prompt.tool_choice != "none" else []
    parallel = prompt.several_calls
    if forced_tools(prompt):
        choice = prompt.tool_choice
        made = force_tools(source, tools, tokenizer, choice=choice, parallel=parallel, thinking=thinking, budget=budget)
        return _checked(made)
    if tools and (answer or any(tool.strict for tool in tools)):
        return _checked(
            offer_tools(source, tools, tokenizer, answer, parallel=parallel, thinking=thinking, budget=budget)
        )
    if answer is None and not budget:
        return None
    return after_reasoning(answer or FREE, source, tokenizer, thinking, budget)


def _thinking(prompt: ChatPrompt, encoded: Encoded) -> Thinking:
    if encoded.thinking:
        return Thinking.OPEN
    if prompt.think != "none" and REASONING.search(encoded.source):
        return Thinking.MAY
    return Thinking.OFF


def _checked(constraint: Constraint | None) -> Constraint | None:
    if constraint is not None and (reason := check(constraint)):
        raise ConstraintError(reason)
    return constraint
