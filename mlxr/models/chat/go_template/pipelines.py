"""Parses what stands in the actions of Go templates: pipelines of commands."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.go_template.constants import character, number, unquoted
from mlxr.models.chat.go_template.nodes import Argument, Chain, Constant, Dot, Field, Function, Nil, Pipeline, Variable
from mlxr.models.chat.go_template.token_reader import TokenReader


class PipelineParser(TokenReader):
    """Reads pipelines. ``functions``: names of those that may be called."""

    def __init__(self, source: str, functions: Collection[str]) -> None:
        super().__init__(source)
        self._functions = functions

    def _pipeline(self, what: str, end: str, *, of_range: bool = False) -> Pipeline:
        """Returns the pipeline up to a token of kind ``end``, which is taken."""
        self._enter()
        self._skip_space()
        line = self._peek().line
        variables, assigns = self._declaration(what, of_range)
        commands: list[tuple[Argument, ...]] = []
        while True:
            self._skip_space()
            token = self._peek()
            if token.kind == end or (end == "right" and token.text == ")" and token.kind == "mark"):
                self._next()
                break
            commands.append(self._command())
        if not commands:
            raise self._error(f"missing value for {what}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command[0], Constant | Dot | Nil):
                raise self._error(f"non executable command in pipeline stage {stage}")
        self._depth -= 1
        if not assigns:
            self._variables += variables
        return Pipeline(tuple(commands), variables, assigns, line)

    def _declaration(self, what: str, of_range: bool) -> tuple[tuple[str, ...], bool]:
        """Returns the variables that stand before ``:=`` or ``=``, and whether it was the latter."""
        found: list[str] = []
        start = self._at
        while self._peek().kind == "variable":
            name = self._next().text
            space = self._skip_space()
            token = self._peek()
            if token.kind == "declare" or (token.kind == "mark" and token.text == "="):
                self._next()
                found.append(name)
                if len(found) == 2 and not of_range:
                    raise self._error(f"too many declarations in {what}")
                if token.text == "=":
                    for each in found:
                        self._require(each)
                return tuple(found), token.text == "="
            if of_range and not found and token.kind == "mark" and token.text == ",":
                self._next()
                found.append(name)
                self._skip_space()
                if self._peek().kind == "variable":
                    continue
                raise self._error("range can only initialize variables")
            del space
            break
        if found:
            raise self._error("range can only initialize variables")
        self._at = start
        return (), False

    def _command(self) -> tuple[Argument, ...]:
        words: list[Argument] = []
        while True:
            self._skip_space()
            operand = self._operand()
            if operand is not None:
                words.append(operand)
            token = self._peek()
            if token.kind == "space":
                self._next()
                continue
            if token.kind == "close" or (token.kind == "mark" and token.text == ")"):
                break
            if token.kind == "mark" and token.text == "|":
                self._next()
                break
            raise self._error(f"unexpected {token.text[:40]!r} in operand")
        if not words:
            raise self._error("empty command")
        return tuple(words)

    def _operand(self) -> Argument | None:
        term = self._term()
        if term is None or self._peek().kind != "field":
            return term
        names: list[str] = []
        while self._peek().kind == "field":
            names.append(self._next().text[1:])
        match term:
            case Field(before):
                return Field((*before, *names))
            case Variable(before):
                return Variable((*before, *names))
            case Constant() | Nil() | Dot():
                raise self._error(f"unexpected .{names[0][:40]} behind a constant")
        return Chain(term, tuple(names))

    def _term(self) -> Argument | None:
        token = self._peek()
        match token.kind:
            case "word":
                if token.text not in self._functions:
                    raise self._error(f"function {token.text[:40]!r} not defined")
                term: Argument = Function(token.text)
            case "dot":
                term = Dot()
            case "keyword" if token.text == "nil":
                term = Nil()
            case "keyword" if token.text in ("true", "false"):
                term = Constant(token.text == "true")
            case "variable":
                term = Variable((self._require(token.text),))
            case "field":
                term = Field((token.text[1:],))
            case "number":
                term = Constant(number(token))
            case "char":
                term = Constant(character(token))
            case "string" | "raw":
                term = Constant(unquoted(token))
            case "mark" if token.text == "(":
                self._next()
                return self._pipeline("parenthesized pipeline", "right")
            case "keyword":
                raise self._error(f"unexpected <{token.text}> in operand")
            case _:
                return None
        self._next()
        return term
