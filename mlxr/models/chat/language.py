"""Chat templates in either language, Jinja or Go's, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from mlxr.models.chat.environment import Clock, compile_template
from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.families import TemplateSigns
from mlxr.models.chat.go_template import GoTemplate, GoTemplateError, is_go
from mlxr.models.chat.go_template.evaluator import Bounds
from mlxr.models.chat.line_limit import LineLimit

Render = Callable[..., str]


class RenderLimit(Protocol):
    """What several renderings together may take. ``over``: it was too much; from then on each one fails."""

    @property
    def over(self) -> bool: ...

    def counted(self, render: Render) -> Render:
        """Returns ``render`` under the limit."""


class CompiledTemplate(Protocol):
    """A template ready to render.

    Attributes:
        signs: what it tells of how its models write.
        literals: the texts that stand in it.
        tools, fills: it has a place for tools, and for text around a gap, as far as its structure tells; a template in
            Jinja has to be tried.
    """

    signs: TemplateSigns
    literals: frozenset[str]
    tools: bool
    fills: bool

    def render(self, messages: Sequence[dict[str, Any]], **variables: Any) -> str:
        """Returns the prompt, by the variables that transformers gives a template. Raises what the template raises."""

    def fill(self, prefix: str, suffix: str) -> str:
        """Returns the prompt that has a gap filled in, of a template that ``fills``."""

    def limited(self, steps: int, seconds: float) -> RenderLimit: ...


class JinjaTemplate:
    """A template in Jinja; raises ``ChatError`` for one that does not parse."""

    tools = fills = False

    def __init__(self, source: str, clock: Clock, param: str) -> None:
        self._template, self.literals = compile_template(source, clock, param)
        self._clock = clock
        self.signs = TemplateSigns(source)

    def render(self, messages: Sequence[dict[str, Any]], **variables: Any) -> str:
        # What transformers gives every template, and llama.cpp some: ``functions`` is text, and there are dates.
        known = {"add_generation_prompt": True, "tools": None, "documents": None, "functions": ""}
        now = self._clock()
        dates = {"datetime": now.strftime("%b %d %Y"), "date_string": now.strftime("%d %b %Y")}
        return self._template.render(**(known | dates | variables | {"messages": list(messages)}))

    def fill(self, prefix: str, suffix: str) -> str:
        raise AssertionError("a template in Jinja has no place for a gap")

    def limited(self, steps: int, seconds: float) -> LineLimit:
        return LineLimit(steps, seconds)


class GoChatTemplate:
    """A template of Ollama's; raises ``ChatError`` for one that does not parse."""

    def __init__(self, source: str, clock: Clock, param: str) -> None:
        try:
            self._template = GoTemplate(source, clock)
        except GoTemplateError as error:
            raise ChatError(f"the chat template does not parse: {error}", param) from error
        except RecursionError as error:
            raise ChatError("the chat template does not parse: it is nested too deeply", param) from error
        markers = self._template.markers
        self.literals = self._template.literals
        self.signs = TemplateSigns(source, calls=markers.calls, reasoning=markers.reasoning)
        self.tools = "tools" in self._template.variables
        self.fills = self._template.fills

    def render(self, messages: Sequence[dict[str, Any]], **variables: Any) -> str:
        # Ollama has a model reason that can, where nobody said.
        think = variables.get("enable_thinking", True if all(self.signs.reasoning) else None)
        return self._template.render(
            messages, tools=variables.get("tools"), think=think, level=variables.get("reasoning_effort") or ""
        )

    def fill(self, prefix: str, suffix: str) -> str:
        return self._template.fill(prefix, suffix)

    def limited(self, steps: int, seconds: float) -> _GoLimit:
        return _GoLimit(self._template, Bounds(steps, seconds=seconds))


class _GoLimit:
    def __init__(self, template: GoTemplate, bounds: Bounds) -> None:
        self._template = template
        self._bounds = bounds

    @property
    def over(self) -> bool:
        return self._bounds.over

    def counted(self, render: Render) -> Render:
        def counting(*arguments: Any, **variables: Any) -> str:
            before, self._template.bounds = self._template.bounds, lambda: self._bounds
            try:
                return render(*arguments, **variables)
            finally:
                self._template.bounds = before

        return counting


def compiled(source: str, clock: Clock, param: str) -> CompiledTemplate:
    """Returns the template, in the language that it is written in. Raises ``ChatError`` for one that does not parse."""
    return (GoChatTemplate if is_go(source) else JinjaTemplate)(source, clock, param)


def template_signs(source: str) -> TemplateSigns:
    """Returns what a template tells of how its models write. Raises ``ChatError`` for one of Go's that does not parse;
    one in Jinja is only read."""
    return GoChatTemplate(source, datetime.now, "chat_template").signs if is_go(source) else TemplateSigns(source)
