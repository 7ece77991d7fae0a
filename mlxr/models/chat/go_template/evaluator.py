"""Executes a parsed Go template, by the rules of Go's ``text/template``, within bounds."""

from __future__ import annotations

import contextlib
import time

from mlxr.models.chat.go_template.errors import GoTemplateError, GoTemplateLimitError
from mlxr.models.chat.go_template.functions import SHORT_CIRCUIT, GoFunction
from mlxr.models.chat.go_template.nodes import (
    Action,
    Argument,
    Body,
    Branch,
    Chain,
    Constant,
    Dot,
    Field,
    Function,
    Include,
    Jump,
    Nil,
    Pipeline,
    Text,
    Tree,
    Variable,
)
from mlxr.models.chat.go_template.values import Struct, Value, sorted_items, truth, type_name, written

MOST_STEPS = 20_000_000
"""Nodes that one execution may come by: a conversation of 4,096 messages takes some hundred thousand."""
MOST_TEXT = 1 << 27
"""Characters that one execution may write, and that its functions may be given or make at a time."""
DEEPEST = 60
"""Templates that may include each other at a time."""
CLOCK_EVERY = 4096
"""Steps between two looks at the clock."""


class Bounds:
    """What may still be done. One for all executions that share an allowance.

    steps: nodes that may be come by. text: characters that may be written. seconds: processor time of the thread, None
    for any. ``over``: it was too much; from then on everything raises ``GoTemplateLimitError``.
    """

    def __init__(self, steps: int = MOST_STEPS, text: int = MOST_TEXT, seconds: float | None = None) -> None:
        self._steps = steps
        self._text = text
        self._until = None if seconds is None else time.thread_time() + seconds
        self.over = False

    def step(self) -> None:
        self._steps -= 1
        late = self._until is not None and self._steps % CLOCK_EVERY == 0 and time.thread_time() > self._until
        if self.over or self._steps < 0 or late:
            self.over = True
            raise GoTemplateLimitError("it does not come to an end")

    def write(self, characters: int) -> None:
        self._text -= characters
        self.hold(0)

    def hold(self, characters: int) -> None:
        """Raises where ``characters`` are more than may still be written."""
        if characters > self._text or self._text < 0:
            self.over = True
            raise GoTemplateLimitError("it writes more than a prompt can hold")


class _BreakError(Exception):
    """``break`` of the loop around."""


class _ContinueError(Exception):
    """``continue`` of the loop around."""


def execute(tree: Tree, data: Value, functions: dict[str, GoFunction], bounds: Bounds) -> str:
    """Returns what the template writes of ``data``. Raises ``GoTemplateError`` with the template's fault, its subclass
    ``GoTemplateLimitError`` where that takes more than ``bounds``."""
    run = _Execution(tree, data, functions, bounds)
    try:
        run.body(tree.body, data)
    except RecursionError:
        raise GoTemplateLimitError("it is nested too deeply") from None
    return "".join(run.output)


class _Execution:
    """One execution: its variables, innermost last, and what it has written."""

    def __init__(self, tree: Tree, data: Value, functions: dict[str, GoFunction], bounds: Bounds) -> None:
        self.output: list[str] = []
        self._tree = tree
        self._functions = functions
        self._bounds = bounds
        self._variables: list[tuple[str, Value]] = [("$", data)]
        self._included = 0
        self._line = 0

    def body(self, nodes: Body, dot: Value) -> None:
        for node in nodes:
            self._bounds.step()
            match node:
                case Text(text):
                    self._write(text)
                case Action(pipeline):
                    value = self._pipeline(pipeline, dot)
                    if not pipeline.variables:
                        self._write(written(value))
                case Branch(kind="range"):
                    self._range(node, dot)
                case Branch():
                    self._choose(node, dot)
                case Include():
                    self._include(node, dot)
                case Jump(kind):
                    raise _BreakError if kind == "break" else _ContinueError

    def _write(self, text: str) -> None:
        self._bounds.write(len(text))
        self.output.append(text)

    def _choose(self, branch: Branch, dot: Value) -> None:
        known = len(self._variables)
        value = self._pipeline(branch.pipeline, dot)
        if truth(value):
            self.body(branch.body, value if branch.kind == "with" else dot)
        elif branch.otherwise is not None:
            self.body(branch.otherwise, dot)
        del self._variables[known:]

    def _range(self, branch: Branch, dot: Value) -> None:
        known = len(self._variables)
        value = self._pipeline(branch.pipeline, dot)
        inside = len(self._variables)
        items = self._items(branch, value)
        for index, item in items:
            self._bounds.step()
            self._bind(branch.pipeline, index, item)
            try:
                self.body(branch.body, item)
            except _ContinueError:
                pass
            except _BreakError:
                break
            finally:
                del self._variables[inside:]
        del self._variables[known:]
        if not items and branch.otherwise is not None:
            with contextlib.suppress(_BreakError):
                self.body(branch.otherwise, dot)

    def _items(self, branch: Branch, value: Value) -> list[tuple[Value, Value]]:
        match value:
            case None:
                return []
            case list():
                return list(enumerate(value))
            case dict():
                return list(sorted_items(value))
            case int() if not isinstance(value, bool):
                if len(branch.pipeline.variables) > 1:
                    raise self._error(f"can't use {value} to iterate over more than one variable")
                if value > MOST_STEPS:
                    raise GoTemplateLimitError("it does not come to an end")
                return [(None, number) for number in range(value)]
        raise self._error(f"range can't iterate over {written(value)[:60]}")

    def _bind(self, pipeline: Pipeline, index: Value, item: Value) -> None:
        """Puts an iteration's index and item into the variables that the range names."""
        names = pipeline.variables
        values = (item,) if len(names) == 1 else (index, item)
        if pipeline.assigns:
            for name, value in zip(names, values, strict=False):
                self._assign(name, value)
            return
        for at, name in enumerate(names):
            self._variables[len(self._variables) - len(names) + at] = (name, values[at])

    def _include(self, include: Include, dot: Value) -> None:
        self._line = include.line
        body = self._tree.defined.get(include.name)
        if body is None:
            raise self._error(f"template {include.name[:40]!r} not defined")
        if self._included >= DEEPEST:
            raise GoTemplateLimitError("its templates include each other without end")
        value = self._pipeline(include.pipeline, dot) if include.pipeline is not None else None
        variables, self._variables = self._variables, [("$", value)]
        self._included += 1
        try:
            self.body(body, value)
        finally:
            self._included -= 1
            self._variables = variables

    # Values.

    def _pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        self._line = pipeline.line
        value: Value = None
        for stage, command in enumerate(pipeline.commands):
            self._bounds.step()
            value = self._command(command, dot, (value,) if stage else ())
        for name in pipeline.variables:
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        return value

    def _assign(self, name: str, value: Value) -> None:
        for at in range(len(self._variables) - 1, -1, -1):
            if self._variables[at][0] == name:
                self._variables[at] = (name, value)
                return
        raise self._error(f"undefined variable: {name}")

    def _command(self, words: tuple[Argument, ...], dot: Value, final: tuple[Value, ...]) -> Value:
        first = words[0]
        if isinstance(first, Function):
            return self._call(first.name, words[1:], dot, final)
        if len(words) > 1 or final:
            raise self._error("can't give argument to non-function")
        if isinstance(first, Nil):
            raise self._error("nil is not a command")
        return self._argument(first, dot)

    def _argument(self, node: Argument, dot: Value) -> Value:
        match node:
            case Dot():
                return dot
            case Nil():
                return None
            case Constant(value):
                return value
            case Field(names):
                return self._fields(dot, names)
            case Variable(names):
                return self._fields(self._variable(names[0]), names[1:])
            case Chain(value, names):
                return self._fields(self._argument(value, dot), names)
            case Pipeline():
                return self._pipeline(node, dot)
            case Function(name):
                return self._call(name, (), dot, ())

    def _variable(self, name: str) -> Value:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise self._error(f"undefined variable: {name}")

    def _fields(self, value: Value, names: tuple[str, ...]) -> Value:
        for at, name in enumerate(names):
            match value:
                case dict():
                    value = value.get(name)
                case Struct():
                    if name not in value.fields:
                        raise self._error(f"can't evaluate field {name[:40]} in type {value.type.name}")
                    value = value.fields[name]
                case None if at == 0:
                    return None
                case None:
                    raise self._error(f"nil pointer evaluating interface {{}}.{name[:40]}")
                case _:
                    raise self._error(f"can't evaluate field {name[:40]} in type {type_name(value)}")
        return value

    def _call(self, name: str, words: tuple[Argument, ...], dot: Value, final: tuple[Value, ...]) -> Value:
        if name in SHORT_CIRCUIT:
            return self._short_circuit(name, words, dot, final)
        values = [self._argument(word, dot) for word in words]
        function, count = self._functions[name], len(values) + len(final)
        if count < function.least or (count > function.least and not function.open_end):
            least = f"{'at least ' if function.open_end else ''}{function.least}"
            raise self._error(f"wrong number of args for {name}: want {least} got {count}")
        self._bounds.hold(sum(len(value) for value in (*values, *final) if isinstance(value, str)))
        try:
            return function.call(*values, *final)
        except GoTemplateLimitError:
            raise
        except GoTemplateError as error:
            raise self._error(f"error calling {name}: {error.message}") from None

    def _short_circuit(self, name: str, words: tuple[Argument, ...], dot: Value, final: tuple[Value, ...]) -> Value:
        if not words and not final:
            raise self._error(f"wrong number of args for {name}: want at least 1 got 0")
        value: Value = None
        for word in words:
            value = self._argument(word, dot)
            if truth(value) == (name == "or"):
                return value
        return final[0] if final else value

    def _error(self, message: str) -> GoTemplateError:
        return GoTemplateError(message, self._line)
