"""The tree of errors is drawn as it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mlxr
from mlxr.runtime import errors

PACKAGE = Path(mlxr.__file__).parent


def drawn() -> dict[str, str]:
    """Parents by the names of errors, as the docstring draws them."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*(?:├── |└── ))?([A-Z]\w+)(?:  +|$)", line):
            depth = len(found[1] or "") // 4
            path[depth:] = [found[2]]
            if depth:
                parents[found[2]] = path[depth - 1]
    return parents


def declared() -> dict[str, str]:
    """Parents by the names of errors, as the code has them."""
    classes = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    known, found = {"MlxrError"}, dict[str, str]()
    below = [(name, base) for name, bases in classes.items() for base in bases if not name.startswith("_")]
    while more := {name: base for name, base in below if base in known and name not in found}:
        found |= more
        known |= more.keys()
    return found


def test_every_error_is_drawn_below_its_parent() -> None:
    assert drawn() == declared()
