"""Parses Go templates, by the rules of Go's ``text/template/parse``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mlxr.models.chat.go_template.constants import character, number, unquoted
from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.lexer import Token, tokens
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
    Node,
    Pipeline,
    Text,
    Tree,
    Variable,
)

DEEPEST = 60
"""Actions, or parentheses, within each other. No model's template has ten."""
END = Token("end", "", 0)
_FOLLOWED = frozenset({"if", "with", "range"})


def parse(source: str, functions: Collection[str]) -> Tree:
    """Returns the template. ``functions``: names of those that it may call. Raises ``GoTemplateError``."""
    return _Parser(source, functions).tree()


class _Parser:
    """Reads one template's tokens from the front. Lists of nodes end with ``else``, ``end`` or the template."""

    def __init__(self, source: str, functions: Collection[str]) -> None:
        self._tokens = [*tokens(source), END]
        self._at = 0
        self._functions = functions
        self._variables = ["$"]
        self._defined: dict[str, Body] = {}
        self._loops = 0
        self._depth = 0

    def tree(self) -> Tree:
        nodes: list[Node] = []
        while self._peek() is not END:
            if self._keyword_ahead() == "define":
                self._define()
                continue
            node, end = self._node()
            if end:
                raise self._error(f"{{{{{end}}}}} ends nothing that was begun")
            if node is not None:
                nodes.append(node)
        if not _empty(tuple(nodes)) and not _empty(self._defined.get("", ())):
            raise self._error("multiple definition of template ''")
        return Tree(tuple(nodes), self._defined)

    # Nodes.

    def _body(self) -> tuple[Body, str]:
        """Returns the nodes up to ``end`` or ``else``, and which it was; the rest of its action is left."""
        nodes: list[Node] = []
        self._enter()
        while True:
            if self._peek() is END:
                raise GoTemplateError("unexpected EOF: an {{if}}, {{range}}, {{with}} or {{define}} has no {{end}}")
            node, end = self._node()
            if end:
                self._depth -= 1
                return tuple(nodes), end
            if node is not None:
                nodes.append(node)

    def _node(self) -> tuple[Node | None, str]:
        """Returns the next node, or the word that ends a list."""
        token = self._next()
        if token.kind == "text":
            return Text(token.text), ""
        self._skip_space()
        word = self._peek()
        if word.kind != "keyword" or word.text in ("nil", "true", "false"):
            return self._action(), ""
        self._next()
        match word.text:
            case "if" | "with" | "range":
                return self._branch(word.text), ""
            case "end":
                self._close("end")
                return None, "end"
            case "else":
                return None, "else"
            case "break" | "continue":
                self._close(word.text)
                if not self._loops:
                    raise self._error(f"{{{{{word.text}}}}} outside {{{{range}}}}")
                return Jump(word.text), ""
            case "template":
                return self._include(), ""
            case "block":
                return self._block(), ""
        raise self._error(f"unexpected {word.text}: it stands at the top of a template only")

    def _action(self) -> Action:
        # What it declares stays to the end of the list that it stands in.
        return Action(self._pipeline("command", "close"))

    def _branch(self, kind: Literal["if", "with", "range"]) -> Branch:
        known = len(self._variables)
        self._loops += kind == "range"
        pipeline = self._pipeline(kind, "close", of_range=kind == "range")
        body, end = self._body()
        otherwise = None
        # Within the else of a range its loop is over.
        self._loops -= kind == "range"
        if end == "else":
            otherwise = self._else(kind)
        del self._variables[known:]
        return Branch(kind, pipeline, body, otherwise)

    def _else(self, kind: str) -> Body:
        self._skip_space()
        word = self._peek()
        chained = word.text if word.kind == "keyword" and word.text == kind and kind in ("if", "with") else ""
        if chained:
            self._next()
            self._enter()
            nested = self._branch(chained)  # type: ignore[arg-type]
            self._depth -= 1
            return (nested,)
        self._close("else")
        body, end = self._body()
        if end == "else":
            raise self._error("expected end; found {{else}}")
        return body

    def _define(self) -> None:
        self._next()
        self._skip_space()
        self._next()
        name = self._name("define")
        self._skip_space()
        self._close("define")
        self._add(name, self._separate_body("define"))

    def _block(self) -> Include:
        line = self._peek().line
        name = self._name("block")
        pipeline = self._pipeline("block clause", "close")
        self._add(name, self._separate_body("block"))
        return Include(name, pipeline, line)

    def _separate_body(self, what: str) -> Body:
        """Returns the body of a template of its own, which knows no variable and no loop of the one around it."""
        variables, loops = self._variables, self._loops
        self._variables, self._loops = ["$"], 0
        body, end = self._body()
        self._variables, self._loops = variables, loops
        if end != "end":
            raise self._error(f"unexpected {{{{else}}}} in {what} clause")
        return body

    def _include(self) -> Include:
        line = self._peek().line
        name = self._name("template")
        self._skip_space()
        if self._peek().kind == "close":
            self._next()
            return Include(name, None, line)
        return Include(name, self._pipeline("template clause", "close"), line)

    def _name(self, what: str) -> str:
        self._skip_space()
        token = self._next()
        if token.kind not in ("string", "raw"):
            raise self._error(f"the name behind {{{{{what}}}}} is no quoted text: {token.text[:40]!r}")
        return unquoted(token)

    def _add(self, name: str, body: Body) -> None:
        if name in self._defined and not _empty(self._defined[name]):
            if _empty(body):
                return
            raise self._error(f"multiple definition of template {name[:40]!r}")
        self._defined[name] = body

    # Pipelines.

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

    # Tokens.

    def _require(self, name: str) -> str:
        if name not in self._variables:
            raise self._error(f"undefined variable {name[:40]!r}")
        return name

    def _close(self, what: str) -> None:
        self._skip_space()
        token = self._next()
        if token.kind != "close":
            raise self._error(f"unexpected {token.text[:40]!r} in {what}")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"it is nested more than {DEEPEST} deep")

    def _keyword_ahead(self) -> str:
        """Returns the keyword that the action ahead begins with, where it is an action."""
        if self._peek().kind != "open":
            return ""
        at = self._at + 1
        if self._tokens[at].kind == "space":
            at += 1
        return self._tokens[at].text if self._tokens[at].kind == "keyword" else ""

    def _skip_space(self) -> bool:
        skipped = self._peek().kind == "space"
        self._at += skipped
        return skipped

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token is END:
            raise self._error("unexpected EOF")
        self._at += 1
        return token

    def _error(self, message: str) -> GoTemplateError:
        return GoTemplateError(message, self._tokens[max(0, self._at - 1)].line)


def _empty(body: Body) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in body)
