"""Parses Go templates, by the rules of Go's ``text/template/parse``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mlxr.models.chat.go_template.constants import unquoted
from mlxr.models.chat.go_template.errors import GoTemplateError
from mlxr.models.chat.go_template.nodes import Action, Body, Branch, Include, Jump, Node, Text, Tree
from mlxr.models.chat.go_template.pipelines import PipelineParser
from mlxr.models.chat.go_template.token_reader import END


def parse(source: str, functions: Collection[str]) -> Tree:
    """Returns the template. ``functions``: names of those that it may call. Raises ``GoTemplateError``."""
    return _Parser(source, functions).tree()


class _Parser(PipelineParser):
    """Reads one template's tokens from the front. Lists of nodes end with ``else``, ``end`` or the template."""

    def __init__(self, source: str, functions: Collection[str]) -> None:
        super().__init__(source, functions)
        self._defined: dict[str, Body] = {}
        self._loops = 0

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


def _empty(body: Body) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in body)
