"""Writes Modelfiles: what would make a model again."""

from __future__ import annotations

from typing import Any

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.modelfile.parse import SINGLE, TRIPLE


def modelfile(entry: CatalogueEntry, origin: str) -> str:
    """Returns a Modelfile that makes this model from ``origin``, a name or a path."""
    over = entry.overrides
    lines = [f"FROM {quoted(origin)}"]
    lines += [f"ADAPTER {quoted(adapter.path or adapter.name)}" for adapter in entry.adapters]
    for keyword, text in (("TEMPLATE", over.template or entry.config.template), ("SYSTEM", entry.system)):
        lines += [f"{keyword} {quoted(text, always=True)}"] if text else []
    for keyword, text in (("RENDERER", over.renderer), ("PARSER", over.parser), ("REQUIRES", over.requires)):
        lines += [f"{keyword} {quoted(text)}"] if text else []
    lines += [f"PARAMETER {name} {value}" for name, value in parameter_lines(entry.options)]
    lines += [f"MESSAGE {turn.get('role', '')} {quoted(turn.get('content', ''))}" for turn in entry.messages]
    lines += [f"LICENSE {quoted(over.license, always=True)}"] if over.license else []
    return "\n".join(lines) + "\n"


def parameters(options: dict[str, Any]) -> str:
    """Returns options one a line, in columns, a list's items on lines of their own."""
    return "\n".join(f"{name:<30} {value}" for name, value in parameter_lines(options))


def parameter_lines(options: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns options by name as a Modelfile has their values, a list's items one by one."""
    return [
        (name, _written(value))
        for name, values in options.items()
        for value in (values if isinstance(values, list) else [values])
    ]


def quoted(text: str, *, always: bool = False) -> str:
    """Returns ``text`` so that it is read as itself: bare where that is one line (unless ``always`` in quotes), else in
    the quotes that no line of it ends with. A text for which there are none comes in three, and is cut where it is
    read; no model has one."""
    bare = text and "\n" not in text and text == text.strip() and not text.startswith(SINGLE)
    if bare and not always:
        return text
    if not _ends_within(text, TRIPLE):
        return f"{TRIPLE}{text}{TRIPLE}"
    if not _ends_within(text, SINGLE) and not text.startswith(SINGLE * 2):
        return f"{SINGLE}{text}{SINGLE}"
    return text if bare else f"{TRIPLE}{text}{TRIPLE}"


def _ends_within(text: str, quote: str) -> bool:
    """Returns whether a line of ``text`` other than the last one ends with ``quote``."""
    return any(line.rstrip().endswith(quote) for line in text.split("\n")[:-1])


def _written(value: Any) -> str:
    if isinstance(value, str):
        plain = "\n" not in value and not value.startswith(SINGLE)
        return f"{SINGLE}{value}{SINGLE}" if plain else quoted(value, always=True)
    return str(value).lower() if isinstance(value, bool) else str(value)
