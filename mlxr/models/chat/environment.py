"""Jinja as chat templates expect it: the conventions of Hugging Face's ``apply_chat_template``.

Blocks are trimmed, loops know ``break`` and ``continue``, ``tojson`` escapes nothing for HTML and keeps key order,
``raise_exception`` and ``strftime_now`` exist, and ``{% generation %}`` is a block without effect. Templates come from
model files, so they run in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mlxr.models.chat.errors import ChatError

Clock = Callable[[], datetime]


class RefusalError(TemplateError):
    """The template called ``raise_exception``."""


class GenerationBlock(Extension):
    """``{% generation %}`` marks text for training masks; here it only stands for its content."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Sandbox(ImmutableSandboxedEnvironment):
    """Hands every ``+`` to a function of Python's: several in one expression would copy a long text as often without
    letting another thread have the interpreter in between."""

    intercepted_binops = frozenset({"+"})


def compile_template(source: str, clock: Clock, param: str = "messages") -> tuple[Template, frozenset[str]]:
    """Returns the template ready to render, and the texts that stand in it. Raises ``ChatError`` with the line of a
    syntax error."""
    environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, loopcontrols])
    environment.filters["tojson"] = _tojson
    # No template of a model needs filler text, and one call makes any amount of it.
    del environment.globals["lipsum"]
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: clock().strftime(form)
    try:
        tree = environment.parse(source)
        literals = {node.data for node in tree.find_all(nodes.TemplateData)}
        literals |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
        return environment.from_string(tree), frozenset(literals)
    except TemplateSyntaxError as error:
        raise ChatError(f"the chat template does not parse: {error.message} (line {error.lineno})", param) from error
    except RecursionError as error:
        raise ChatError("the chat template does not parse: it is nested too deeply", param) from error
    except Exception as error:
        # Jinja makes Python of it, which Python may refuse (100 loops within each other, say).
        reason = str(error) or type(error).__name__
        raise ChatError(f"the chat template does not parse: {reason}", param) from error


def _refuse(message: str) -> NoReturn:
    raise RefusalError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
