"""How one request's answer is to be read: parser, shown markers, how many calls."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt
from mlxr.models.chat import choose_parser
from mlxr.models.chat.families import NO_SIGNS, TemplateSigns
from mlxr.models.output import OutputParser
from mlxr.models.tokenizers import TokenTexts
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, Tool


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """How the answer of one request is read; makes a stream for each of its sequences.

    Attributes:
        signs: what the chat template tells of how the model writes; of an empty one for prompts without one.
        one_call: a second tool call ends the answer.
        only_calls: the answer is held to tool calls.
    """

    command: Generate
    signs: TemplateSigns
    tools: list[Tool]
    in_reasoning: bool
    split_reasoning: bool
    shown: frozenset[int]
    one_call: bool = False
    only_calls: bool = False

    @classmethod
    def of(cls, command: Generate, signs: TemplateSigns, prepared: EncodedPrompt) -> OutputSpec:
        """``signs``: of the model's own template."""
        prompt, shown = command.prompt, frozenset(prepared.shown)
        if not isinstance(prompt, ChatPrompt):
            return cls(command, NO_SIGNS, [], False, False, shown)
        return cls(
            command,
            prepared.signs or signs,
            prompt.tools if prompt.tool_choice != "none" else [],
            prepared.in_reasoning,
            command.split_reasoning,
            shown,
            one_call=not prompt.several_calls,
            only_calls=prompt.forces_tools,
        )

    def stream(self, index: int, texts: TokenTexts) -> OutputStream:
        return OutputStream(
            self.command.request,
            index,
            texts,
            self.command.stop_strings,
            self._parser(),
            self.shown,
            one_call=self.one_call,
            only_calls=self.only_calls,
            tracked=self.command.tracked,
        )

    def _parser(self) -> OutputParser:
        return choose_parser(
            self.signs, self.tools, in_reasoning=self.in_reasoning, split_reasoning=self.split_reasoning
        )
