"""What a chat template understands, found out by rendering small conversations with it.

Templates differ in what they do with roles, tools and content they weren't written for: they raise, or leave it out
without a word. A marker put into each part of a conversation shows which.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mlxr.models.chat.families import Signs, family_of, signs_of
from mlxr.models.chat.tool_prompt import PastCall

TemplateMessage = dict[str, Any]
Render = Callable[..., str]
"""Renders ``messages`` with further template variables as keywords."""

FAILURES = (Exception,)
"""What rendering can raise: templates run Python operations on values they did not expect."""

TOOL_VARIABLES = ("tools", "xml_tools", "functions")
TEXT_VARIABLE = "functions"
"""The one of them that is JSON text (firefunction), as its publisher and llama.cpp give it."""
MARK = "q7Zmarker"
USER: TemplateMessage = {"role": "user", "content": "hello"}
FUNCTION: dict[str, Any] = {
    "name": MARK,
    "description": "does",
    "parameters": {"type": "object", "properties": {"argq": {"type": "string", "description": "a"}}},
}
TOOL = {"type": "function", "function": FUNCTION}


@dataclass(frozen=True, slots=True)
class TemplateCapabilities:
    """What a template understands of a conversation.

    Attributes:
        system, developer: has the role.
        typed_content: takes content only as a list of parts.
        tools: where it looks for tools to describe: a variable (one of ``TOOL_VARIABLES``), a key of the system message
            (``system``), or empty for nowhere.
        tool_calls, tool_results: shows past calls and their results.
        text_arguments: wants a call's arguments as JSON text.
        null_content: wants None as the content of a message that only calls.
        one_call: shows one call a message.
        short_ids: wants call ids of nine characters.
        reasoning_switch: reasoning can be turned off by a variable.
        effort: knows ``reasoning_effort``.
        past_call: how the template's family writes a call into an assistant's text.
    """

    system: bool
    developer: bool
    typed_content: bool
    tools: str
    tool_calls: bool
    tool_results: bool
    text_arguments: bool
    null_content: bool
    one_call: bool
    short_ids: bool
    reasoning_switch: bool
    effort: bool
    past_call: PastCall


@dataclass(frozen=True, slots=True)
class _Style:
    """One way to write down a past tool call."""

    short_ids: bool = False
    text_arguments: bool = False
    null_content: bool = False

    def message(self, *names: str) -> TemplateMessage:
        arguments: Any = {"argq": "valq"}
        call = {"name": "", "arguments": json.dumps(arguments) if self.text_arguments else arguments}
        calls = [{"id": self.id(i), "type": "function", "function": {**call, "name": n}} for i, n in enumerate(names)]
        return {"role": "assistant", "content": None if self.null_content else "", "tool_calls": calls}

    def id(self, index: int = 0) -> str:
        return f"abcdefgh{index}" if self.short_ids else f"call_abcdefghijk{index}"


STYLES = [_Style(short, text) for short in (False, True) for text in (False, True)]


def tool_variable(name: str, tools: list[dict[str, Any]]) -> Any:
    """Returns ``tools`` as the template's variable ``name`` has them."""
    return json.dumps(tools, ensure_ascii=False, indent=2) if name == TEXT_VARIABLE else tools


def probe(render: Render, template: Signs) -> TemplateCapabilities:
    """Returns the capabilities of the ``template`` that ``render`` renders.

    A template that is only for conversations with tools refuses all others, and is probed with one.
    """
    if not _attempt(render, USER) and _attempt(render, USER, tools=[TOOL]):
        render = partial(render, tools=[{"type": "function", "function": FUNCTION | {"name": "f"}}])

    def shows(*messages: TemplateMessage, **variables: Any) -> bool:
        return MARK in _attempt(render, *messages, **variables)

    def differs(**variables: tuple[Any, Any]) -> bool:
        one, other = ({key: pair[i] for key, pair in variables.items()} for i in (0, 1))
        return _attempt(render, user, **one) != _attempt(render, user, **other)

    marked = {"role": "user", "content": [{"type": "text", "text": MARK}]}
    typed = not shows({"role": "user", "content": MARK}) and shows(marked)
    user: TemplateMessage = {**USER, "content": [{"type": "text", "text": "hello"}]} if typed else USER
    style = _calling_style(render, user)
    write = style or _Style()
    result = {"role": "tool", "content": MARK, "tool_call_id": write.id(), "name": "f"}
    system = {"role": "system", "content": marked["content"] if typed else MARK}
    tools = next((name for name in TOOL_VARIABLES if shows(user, **{name: tool_variable(name, [TOOL])})), "")
    if not tools and shows({**USER, "role": "system", "tools": MARK}, user):
        tools = "system"
    return TemplateCapabilities(
        system=shows(system, user),
        developer="developer" in signs_of(template).source,
        typed_content=typed,
        tools=tools,
        tool_calls=style is not None,
        tool_results=shows(user, write.message("f"), result),
        text_arguments=write.text_arguments,
        null_content=write.null_content,
        one_call=style is not None and not shows(user, write.message("f", MARK)),
        short_ids=write.short_ids,
        reasoning_switch=differs(enable_thinking=(True, False), thinking=(True, False)),
        past_call=family_of(template).past_call,
        effort=differs(reasoning_effort=("low", "high")),
    )


def why_unusable(render: Render) -> str:
    """Returns why the template renders no conversation at all, or nothing where it renders one."""
    reason = ""
    answer = {"role": "assistant", "content": "hi"}
    typed = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
    for messages in ([USER], [typed], [{**USER, "role": "system"}, USER], [USER, answer, USER]):
        for variables in ({}, {"tools": [TOOL]}):
            try:
                if render(messages, **variables).strip():
                    return ""
            except FAILURES as error:
                reason = reason or str(error) or type(error).__name__
    return reason or "what it renders is empty"


def _calling_style(render: Render, user: TemplateMessage) -> _Style | None:
    """Returns how to write a past call so that it comes out in full; None where no way does."""
    style = next((style for style in STYLES if _called(render, user, style)), None)
    if style is not None:
        # Content beside the call, even empty, makes some templates add a turn of text.
        null = replace(style, null_content=True)
        bare = _called(render, user, null)
        if bare and len(bare) < len(_called(render, user, style)):
            return null
        return style
    return next((null for style in STYLES if _called(render, user, null := replace(style, null_content=True))), None)


def _called(render: Render, user: TemplateMessage, style: _Style) -> str:
    """Returns the rendering of a call, where it has the name, the argument, and no trace of Python's own notation."""
    text = _attempt(render, user, style.message(MARK))
    quoted_twice = json.dumps(json.dumps({"argq": "valq"})) in text
    whole = MARK in text and "argq" in text and "{'argq'" not in text and "None" not in text and not quoted_twice
    return text if whole else ""


def _attempt(render: Render, *messages: TemplateMessage, **variables: Any) -> str:
    """Returns the rendering, or nothing where the template refuses."""
    try:
        return render(list(messages), **variables)
    except FAILURES:
        return ""
