"""One Go template, rendered as Ollama renders it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mlxr.models.chat.go_template.evaluator import Bounds, execute
from mlxr.models.chat.go_template.functions import functions
from mlxr.models.chat.go_template.ollama_values import collate, message_value, tool_values
from mlxr.models.chat.go_template.parser import parse
from mlxr.models.chat.go_template.structure import (
    before_answer,
    literals,
    markers,
    variables,
    with_response,
)
from mlxr.models.chat.go_template.values import Value


class GoTemplate:
    """Renders conversations, given as messages with ``role``, ``content``, ``thinking``, ``tool_calls``, ``name`` and
    ``tool_call_id``.

    Raises ``GoTemplateError`` for a source that does not parse.

    Attributes:
        variables: names of all its fields and variables, in small letters.
        literals: the texts that stand in it.
        markers: what it writes around calls and reasoning.
        bounds: makes what one rendering may take.
    """

    def __init__(
        self, source: str, clock: Callable[[], datetime] = datetime.now, bounds: Callable[[], Bounds] = Bounds
    ) -> None:
        self._functions = functions(clock)
        self._tree = with_response(parse(source, self._functions))
        self.variables = variables(self._tree)
        self.literals = literals(self._tree)
        self.markers = markers(self._tree)
        self.bounds = bounds

    @property
    def fills(self) -> bool:
        """Whether it has a place for what comes behind the text to fill in."""
        return "suffix" in self.variables

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        tools: Sequence[dict[str, Any]] | None = None,
        think: bool | None = None,
        level: str = "",
    ) -> str:
        """Returns the prompt. ``think``: whether to reason, None where nobody said; ``level``: how much.

        Raises ``GoTemplateError`` with the template's own fault, ``GoTemplateLimitError`` where it takes too much.
        """
        thinking = {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}
        system, collated = collate(messages)
        if "messages" in self.variables:
            values: dict[str, Value] = {
                "System": system,
                "Messages": [message_value(message) for message in collated],
                "Tools": tool_values(tools),
                "Response": "",
            }
            return execute(self._tree, values | thinking, self._functions, self.bounds())
        return self._turn_by_turn(collated, thinking)

    def fill(self, prefix: str, suffix: str) -> str:
        """Returns the prompt that has the text between ``prefix`` and ``suffix`` filled in; raises as ``render``."""
        thinking = {"Think": False, "ThinkLevel": "", "IsThinkSet": False}
        values: dict[str, Value] = {"Prompt": prefix, "Suffix": suffix, "Response": ""}
        return execute(self._tree, values | thinking, self._functions, self.bounds())

    def _turn_by_turn(self, messages: Sequence[dict[str, Any]], thinking: dict[str, Value]) -> str:
        """Renders a template of one turn (system, prompt, response) for each turn of the conversation; for the last
        one, up to where the answer goes."""
        written: list[str] = []
        turn = {"System": "", "Prompt": "", "Response": ""}
        bounds = self.bounds()
        for message in messages:
            role = message["role"]
            ended = (role == "system" and (turn["Prompt"] or turn["Response"])) or (role == "user" and turn["Response"])
            if ended:
                written.append(execute(self._tree, turn | thinking, self._functions, bounds))
                turn = {"System": "", "Prompt": "", "Response": ""}
            place = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(role)
            if place is not None:
                turn[place] = message["content"]
        last = before_answer(self._tree)
        return "".join([*written, execute(last, turn | thinking, self._functions, bounds)])
