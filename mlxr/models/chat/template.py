"""One model's chat template: from a conversation to the text of a prompt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from mlxr.models.chat.conversation import conversation, tool_dicts
from mlxr.models.chat.environment import Clock
from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.escaping import ControlMarkers, Escaper, choose_escape, texts_of
from mlxr.models.chat.families import SECTIONS, THINK, Section
from mlxr.models.chat.go_template import GoTemplateLimitError
from mlxr.models.chat.language import compiled
from mlxr.models.chat.template_capabilities import (
    FAILURES,
    TOOL_VARIABLES,
    TemplateMessage,
    probe,
    tool_variable,
    why_unusable,
)
from mlxr.models.chat.template_workarounds import WORKAROUNDS, full_tools
from mlxr.models.tokenizers.escaping import without_escapes
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, FillPrompt, Tool

PROBE_STEPS, PROBE_SECONDS = 1_000_000, 2.0
"""Lines of template code, and processor time, that finding out about a template may take: real ones take some thousand
lines and some hundredths of a second."""
ENDING = 200
"""Characters of a prompt that are looked at for the marker it ends with."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as the text of a prompt.

    Attributes:
        escaped: the text with the escape character in what people wrote, to be encoded with ``add_special``,
            ``parse_special`` and ``escape``.
        in_reasoning: the prompt ends inside a reasoning section that the template opened.
        escape: the escape character; empty where there is none.
    """

    escaped: str
    in_reasoning: bool = False
    escape: str = ""

    @property
    def text(self) -> str:
        """The prompt as people see it."""
        return without_escapes(self.escaped, self.escape)


class ChatTemplate:
    """Renders conversations. It finds out what the template understands by rendering small ones when it is made.

    Raises ``ChatError`` for a source that doesn't parse, or that doesn't end within its bounds.

    Args:
        source: the template, in Jinja or, as Ollama's models have them, Go's language; ``go_template.recognise`` tells
            which.
        family: of the models, where somebody said it; empty where the template tells.
        bos, eos: the texts of the model's tokens.
        tool_source: the template for conversations with tools, where a model has one of its own for them.
        markers: the model's control tokens as they are written, which what people wrote in a conversation can't become.
        clock: tells templates today's date.
        param: the request's field that an error names.
        bounded: finding out may take no more than ``PROBE_STEPS`` and ``PROBE_SECONDS``; for where no sandbox ends it.
    """

    def __init__(
        self,
        source: str,
        *,
        bos: str = "",
        eos: str = "",
        tool_source: str | None = None,
        markers: Collection[str] = (),
        clock: Clock = datetime.now,
        param: str = "messages",
        bounded: bool = False,
        family: str = "",
    ) -> None:
        self.source = source
        self._plain = compiled(source, clock, param)
        self.signs = replace(self._plain.signs, family=family)
        """What tells how the model writes."""
        own = (self.signs.reasoning,) if all(self.signs.reasoning) else ()
        self._sections: tuple[Section, ...] = tuple(dict.fromkeys((*SECTIONS, *own)))
        self._markers = ControlMarkers(markers, self._plain.literals)
        self._variables = {"bos_token": bos, "eos_token": eos}
        limit = self._plain.limited(PROBE_STEPS, PROBE_SECONDS)
        render = limit.counted(self._render_plain) if bounded else self._render_plain
        self.capabilities = probe(render, self.signs)
        reason = why_unusable(render)
        self.fault = f"the chat template renders no conversation: {reason}" if reason else ""
        """Why the template can't be used, as far as small conversations without arguments show; mostly empty."""
        if limit.over:
            raise ChatError("the chat template does not come to an end", param)
        self.with_tools: ChatTemplate | None = None
        if tool_source is not None:
            self.with_tools = ChatTemplate(
                tool_source, bos=bos, eos=eos, markers=markers, clock=clock, param=param, bounded=bounded, family=family
            )

    @property
    def tools(self) -> bool:
        """Whether the template has a place for tools."""
        return bool(self.capabilities.tools) or self._plain.tools or self.with_tools is not None

    @property
    def fills(self) -> bool:
        """Whether the template has a place for text around a gap."""
        return self._plain.fills

    def fill(self, prompt: FillPrompt) -> Rendered:
        """Returns the prompt that has the gap filled in, of a template that ``fills``. Raises ``ChatError`` with the
        template's own reason."""
        said = ChatPrompt([ChatMessage("user", prompt.prefix), ChatMessage("user", prompt.suffix)])
        escaper = Escaper(self._markers, choose_escape(self._markers, said, self.source))
        try:
            text = self._plain.fill(escaper.text(prompt.prefix), escaper.text(prompt.suffix))
        except FAILURES as error:
            reason = without_escapes(str(error), escaper.character)
            raise ChatError(f"the chat template refuses the gap: {reason}", "suffix") from error
        return Rendered(text, escape=escaper.character)

    def render(self, prompt: ChatPrompt) -> Rendered:
        """Returns the prompt for ``prompt``'s conversation. Raises ``ChatError`` with the template's own reason.

        ``prompt.template`` is not looked at: the caller makes another ``ChatTemplate`` for it. With ``tool_choice``
        none the model is told of no tools.
        """
        tools = prompt.tools if prompt.tool_choice != "none" else []
        if tools and self.with_tools is not None:
            return self.with_tools.render(prompt)
        if not prompt.messages:
            raise ChatError("messages is empty; a conversation has at least one")
        escaper = Escaper(self._markers, choose_escape(self._markers, prompt, self.source))
        if prompt.continue_final:
            return self._continued(prompt, tools, escaper)
        text = self._written(prompt, tools, escaper)
        if not prompt.opens_answer:
            return Rendered(text, escape=escaper.character)
        return self._switched(text, self._opened(text, prompt, tools), prompt.reasoning_effort, escaper)

    def _written(self, prompt: ChatPrompt, tools: Sequence[Tool], escaper: Escaper) -> str:
        messages, variables = self._given(prompt, tools, escaper)
        return self._render_any(messages, variables | {"add_generation_prompt": prompt.opens_answer}, escaper)

    def _given(
        self, prompt: ChatPrompt, tools: Sequence[Tool], escaper: Escaper
    ) -> tuple[list[TemplateMessage], dict[str, Any]]:
        """Returns the messages and variables for the template."""
        messages = conversation(prompt, tools, self.capabilities, escaper)
        variables = self._reasoning_variables(prompt.reasoning_effort) | escaper.value(prompt.template_args)
        if tools and self.capabilities.tools in TOOL_VARIABLES:
            variables[self.capabilities.tools] = tool_variable(
                self.capabilities.tools, escaper.value(tool_dicts(tools))
            )
        return messages, variables

    def _opened(self, text: str, prompt: ChatPrompt, tools: Sequence[Tool]) -> str | None:
        """Returns the marker of the reasoning section that the template opens at the end of ``text``."""
        opener = self._opener(text)
        if opener is None or not any(opener in written for written in texts_of(prompt)):
            return opener
        # The last words may be a user's. With the escape character in them they are others, and the template's are not.
        apart = ControlMarkers([opening for opening, _ in self._sections], ())
        return self._opener(self._written(prompt, tools, Escaper(apart, choose_escape(apart, prompt, self.source))))

    def _continued(self, prompt: ChatPrompt, tools: Sequence[Tool], escaper: Escaper) -> Rendered:
        """Returns a prompt that ends in the middle of the last message, which is an assistant's."""
        messages, variables = self._given(prompt, tools, escaper)
        last = messages[-1]
        if last["role"] != "assistant":
            raise ChatError("only an assistant's message can be continued; the last one is not an assistant's")
        content = _text(last["content"])
        text = self._render_any(messages, variables | {"add_generation_prompt": False}, escaper)
        at = text.rfind(content.strip()) if content.strip() else -1
        if at < 0:
            text = self._render_any(messages[:-1], variables | {"add_generation_prompt": True}, escaper) + content
            return Rendered(text, self._opener(text) is not None, escaper.character)
        # Templates trim content, and the client's own trailing space is part of what is to be continued.
        return Rendered(text[:at] + content.lstrip(), escape=escaper.character)

    def _render_any(self, messages: list[TemplateMessage], variables: dict[str, Any], escaper: Escaper) -> str:
        """Returns the rendering of the first rewriting that the template takes."""
        refusal: Exception | None = None
        for given in (variables, variables | full_tools(variables, self.capabilities.tools)):
            tried: list[list[TemplateMessage]] = []
            for transforms in WORKAROUNDS if not self.capabilities.one_call else WORKAROUNDS[1::2]:
                changed = messages
                for transform in transforms:
                    changed = transform(changed)
                if changed in tried:
                    continue
                tried.append(changed)
                try:
                    return self._render_plain(changed, **given)
                except (MemoryError, RecursionError, GoTemplateLimitError) as error:
                    # What takes this much takes it again in any other form.
                    what = error.message if isinstance(error, GoTemplateLimitError) else type(error).__name__
                    raise ChatError(f"the chat template takes too much: {what}") from error
                except FAILURES as error:
                    refusal = refusal or error
        reason = without_escapes(str(refusal), escaper.character)
        raise ChatError(f"the chat template refuses the conversation: {reason}") from refusal

    def _render_plain(self, messages: Sequence[TemplateMessage], **variables: Any) -> str:
        return self._plain.render(messages, **(self._variables | variables))

    def _reasoning_variables(self, effort: str | None) -> dict[str, Any]:
        """Template variables for reasoning: off ("none"), on ("on") or an effort."""
        if effort is None:
            return {}
        variables: dict[str, Any] = {"enable_thinking": effort != "none", "thinking": effort != "none"}
        if effort == "on" or not self.capabilities.effort:
            return variables
        # A template that only knows efforts can't be silenced: the least of them is what is left.
        return variables | {"reasoning_effort": {"none": "low", "minimal": "low"}.get(effort, effort)}

    def _switched(self, text: str, opener: str | None, effort: str | None, escaper: Escaper) -> Rendered:
        """Returns ``text`` with an empty reasoning section where the request wants none and the template has no
        switch."""
        if effort != "none" or self.capabilities.effort:
            return Rendered(text, opener is not None, escaper.character)
        if opener is not None:
            text = f"{text.rstrip()}\n\n{dict(self._sections)[opener]}\n\n"
        elif not self.capabilities.reasoning_switch and THINK[1] in self.source:
            text = f"{text}{THINK[0]}\n\n{THINK[1]}\n\n"
        return Rendered(text, escape=escaper.character)

    def _opener(self, text: str) -> str | None:
        """Returns the marker of the reasoning section that ``text`` ends with having opened."""
        end = text[-ENDING:].rstrip()
        return next((opening for opening, _ in self._sections if end.endswith(opening)), None)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""
