"""What a Go template's own structure tells: which variables it knows, and the markers around calls and reasoning.

The rules are Ollama's (``template``, ``tools`` and ``thinking`` in its sources), so that a model is understood as it is
there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.nodes import (
    Action,
    Argument,
    Body,
    Branch,
    Chain,
    Constant,
    Field,
    Function,
    Include,
    Node,
    Pipeline,
    Text,
    Tree,
    Variable,
)

RESPONSE = Action(Pipeline(((Field(("Response",)),),), (), False, 0))
"""What a template gets at its end that names neither messages nor an answer."""


@dataclass(frozen=True, slots=True)
class TemplateMarkers:
    """Markers that a template writes around what a model says.

    Attributes:
        calls: stands before calls; ``{`` or ``[`` where a call is JSON without a marker, empty where the template shows
            no calls.
        reasoning: stand before and behind reasoning, both empty where the template shows none.
    """

    calls: str = ""
    reasoning: tuple[str, str] = ("", "")


def bodies(tree: Tree) -> Iterator[Body]:
    """Yields the template's own body and those that it defines."""
    yield tree.body
    yield from tree.defined.values()


def variables(tree: Tree) -> frozenset[str]:
    """Returns the names of all fields and variables, in small letters. Raises ``GoTemplateError`` for a template that
    is included without a value, which Ollama refuses as well."""
    found: set[str] = set()
    for body in bodies(tree):
        for node in body:
            found.update(_names(node))
    return frozenset(name.lower() for name in found)


def literals(tree: Tree) -> frozenset[str]:
    """Returns the texts that stand in the template."""
    found: set[str] = set()
    for body in bodies(tree):
        for node in _walk(body):
            if isinstance(node, Text):
                found.add(node.text)
            elif isinstance(node, Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


def with_response(tree: Tree) -> Tree:
    """Returns the template with the place for an answer at its end, where it has none."""
    known = variables(tree)
    return tree if known & {"messages", "response"} else replace(tree, body=(*tree.body, RESPONSE))


def before_answer(tree: Tree) -> Tree:
    """Returns the template up to the place for an answer, that included."""
    body, _ = _cut(tree.body)
    return replace(tree, body=body)


def markers(tree: Tree) -> TemplateMarkers:
    """Returns the markers that the template writes around calls and reasoning."""
    return TemplateMarkers(_call_marker(tree.body), _reasoning_markers(tree.body))


def _names(node: Node | Argument) -> Iterator[str]:
    match node:
        case Action(pipeline):
            yield from _names(pipeline)
        case Include(name, pipeline, line):
            if pipeline is None:
                raise GoTemplateError(
                    f"undefined template specified: give {name[:40]!r} a value, as in {{{{ template {name!r} . }}}}",
                    line,
                )
            yield from _names(pipeline)
        case Branch():
            yield from _names(node.pipeline)
            for inner in (*node.body, *(node.otherwise or ())):
                yield from _names(inner)
        case Pipeline(commands):
            for command in commands:
                for word in command:
                    yield from _names(word)
        case Field(names) | Variable(names):
            yield from names


def _walk(node: Body | Node | Argument) -> Iterator[Node | Argument]:
    """Yields every node of the tree below, ``node`` too."""
    if isinstance(node, tuple):
        for each in node:
            yield from _walk(each)
        return
    yield node
    match node:
        case Action(pipeline):
            yield from _walk(pipeline)
        case Include(pipeline=Pipeline() as pipeline):
            yield from _walk(pipeline)
        case Branch():
            yield from _walk(node.pipeline)
            yield from _walk(node.body)
            yield from _walk(node.otherwise or ())
        case Pipeline(commands):
            for command in commands:
                for word in command:
                    yield from _walk(word)
        case Chain(value):
            yield from _walk(value)
        case Function():
            return


def _cut(body: Body) -> tuple[Body, bool]:
    """Returns the nodes up to the answer's place, and whether that was among them."""
    kept: list[Node] = []
    for node in body:
        match node:
            case Action(pipeline):
                left, cut = _cut_pipeline(pipeline)
                if left is not None:
                    kept.append(Action(left))
            case Branch():
                inner, cut = _cut(node.body)
                otherwise = node.otherwise
                if cut:
                    otherwise = None
                elif otherwise is not None:
                    otherwise, cut = _cut(otherwise)
                kept.append(replace(node, body=inner, otherwise=otherwise))
            case _:
                cut = False
                kept.append(node)
        if cut:
            return tuple(kept), True
    return tuple(kept), False


def _cut_pipeline(pipeline: Pipeline) -> tuple[Pipeline | None, bool]:
    """Returns the pipeline up to the answer's place; None where commands stand behind that, which would get it."""
    for at, command in enumerate(pipeline.commands):
        words: list[Argument] = []
        for word in command:
            cut = isinstance(word, Field) and "Response" in word.names
            left: Argument | None = word
            if isinstance(word, Pipeline):
                left, cut = _cut_pipeline(word)
            if left is not None:
                words.append(left)
            if cut:
                whole = words and at == len(pipeline.commands) - 1
                commands = (*pipeline.commands[:at], tuple(words))
                return replace(pipeline, commands=commands) if whole else None, True
    return pipeline, False


def _call_marker(body: Body) -> str:
    found = _calls_branch(body)
    if found is None:
        return ""
    text = _first_text(found.body)
    return text.partition("{")[0].strip() or "{" if text is not None else "{"


def _calls_branch(body: Body) -> Branch | None:
    """Returns the first ``if`` that asks for calls."""
    for node in body:
        if not isinstance(node, Branch):
            continue
        asked = [word for command in node.pipeline.commands for word in command]
        if node.kind == "if" and any(isinstance(word, Field) and "ToolCalls" in word.names for word in asked):
            return node
        inner = _calls_branch(node.body) or _calls_branch(node.otherwise or ())
        if inner is not None:
            return inner
    return None


def _first_text(body: Body) -> str | None:
    """Returns the first text that is more than space, before anything is written."""
    for node in body:
        match node:
            case Text(text) if text.strip():
                return text
            case Branch():
                found = _first_text(node.body)
                return found if found is not None else _first_text(node.otherwise or ())
            case Action():
                return None
    return None


def _reasoning_markers(body: Body) -> tuple[str, str]:
    """Returns the texts that begin and end the list of nodes in which a message's reasoning stands; the last such list
    counts."""
    opening = closing = ""
    for around, in_messages in _lists_with_reasoning(body, body, False):
        if not in_messages or not around:
            continue
        if isinstance(around[0], Text):
            opening = around[0].text.strip()
        if isinstance(around[-1], Text):
            closing = around[-1].text.strip()
    return (opening, closing) if opening and closing else ("", "")


def _lists_with_reasoning(node: Body, around: Body, in_messages: bool) -> Iterator[tuple[Body, bool]]:
    """Yields for each mention of a message's reasoning the list of nodes around it, and whether the loop around that
    goes through the messages."""
    for each in node:
        match each:
            case Action(pipeline) | Include(pipeline=Pipeline() as pipeline):
                yield from ((around, in_messages) for _ in range(_mentions(pipeline, "Thinking")))
            case Branch():
                inside = _mentions(each.pipeline, "Messages") > 0 if each.kind == "range" else in_messages
                yield from ((around, inside) for _ in range(_mentions(each.pipeline, "Thinking")))
                yield from _lists_with_reasoning(each.body, each.body, inside)
                yield from _lists_with_reasoning(each.otherwise or (), each.otherwise or (), inside)


def _mentions(pipeline: Pipeline, name: str) -> int:
    return sum(isinstance(node, Field) and node.names[0] == name for node in _walk(pipeline))
