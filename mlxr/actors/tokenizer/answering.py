"""How one request's answer is to be read and what it is held to: parser, shown markers, constraint."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.tokenizer.text import Encoded
from mlxr.models.chat.capabilities import REASONING
from mlxr.models.constraints import ConstraintError, Thinking, after_reasoning, check, force_tools
from mlxr.models.output import OutputParser, choose_parser, shown_tokens
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, Tool

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
            split, one_call = command.split_reasoning, not prompt.parallel_tool_calls
            forced = prompt.tool_choice not in UNFORCED
            return cls(encoded.source, tools, encoded.thinking, split, constraint, one_call, forced)
        except ConstraintError as error:
            param = "tool_choice" if command.constraint is None else "response_format"
            raise RequestError(ErrorInfo(ErrorCode.INVALID, str(error), param)) from error

    def parser(self) -> OutputParser:
        return choose_parser(self.source, self.tools, thinking=self.thinking, split_reasoning=self.split_reasoning)

    def shown(self, tokenizer: Tokenizer) -> frozenset[int]:
        """Control tokens whose names the parser reads."""
        return shown_tokens(self.parser(), tokenizer)


def _constraint(command: Generate, prompt: ChatPrompt, encoded: Encoded, tokenizer: Tokenizer) -> Constraint | None:
    """The request's own constraint, or the one that makes it call a tool."""
    thinking = Thinking.OFF
    if encoded.thinking:
        thinking = Thinking.OPEN
    elif prompt.think != "none" and REASONING.search(encoded.source):
        thinking = Thinking.MAY
    if prompt.tool_choice not in UNFORCED:
        return force_tools(
            encoded.source,
            prompt.tools,
            tokenizer,
            choice=prompt.tool_choice,
            parallel=prompt.parallel_tool_calls,
            thinking=thinking,
        )
    constraint = _checked(command.constraint)
    return constraint and after_reasoning(constraint, encoded.source, tokenizer, thinking)


def _checked(constraint: Constraint | None) -> Constraint | None:
    if constraint is not None and (reason := check(constraint)):
        raise ConstraintError(reason)
    return constraint
