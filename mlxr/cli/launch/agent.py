"""What is known of an agent: a row of the tables beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Agent:
    """How one agent is brought to work with a model that is here.

    name: as it is launched, title: as its makers call it, aliases: what else people type.
    command: what is run.
    install: the command that installs it.
    environment: variables to set; a value that is no text is written as JSON.
    unset: variables that would lead it elsewhere.
    arguments: before the user's own, ``otherwise``: in place of the user's own where there are none.
    files: below ``{config}``, by their names: texts, or what is written as JSON, YAML or TOML by its name's end.
    prompt_tokens: what it begins with, about, before the user has said anything.
    tools: whether it can do anything with a model that calls no tools but talk.
    """

    name: str
    title: str
    command: str
    install: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens: int = 8_000
    tools: bool = True
    aliases: tuple[str, ...] = ()
