"""What a Go template is parsed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Text:
    """Text between actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """``.``, the value that the template is at."""


@dataclass(frozen=True, slots=True)
class Nil:
    """``nil``."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant: a bool, number or text."""

    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Field:
    """``.A.B``, of the value that the template is at."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x.A.B``; ``names``: the variable's, with its dollar sign, and those of the fields."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """``(...).A.B``."""

    value: Argument
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the value of the one before.

    commands: each is its words.
    variables: what its value is put into.
    assigns: they are there already.
    line: where it stands.
    """

    commands: tuple[tuple[Argument, ...], ...]
    variables: tuple[str, ...]
    assigns: bool
    line: int


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is written, unless it is put into a variable."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """``if``, ``with`` or ``range``. ``otherwise``: what stands behind ``else``, None without one."""

    kind: Literal["if", "with", "range"]
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Include:
    """``{{ template "name" . }}``."""

    name: str
    pipeline: Pipeline | None
    line: int


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    kind: Literal["break", "continue"]


Argument = Dot | Nil | Constant | Field | Variable | Function | Chain | Pipeline
Node = Text | Action | Branch | Include | Jump
Body = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed template. ``defined``: templates by name, those that it defines beside itself."""

    body: Body
    defined: dict[str, Body]
