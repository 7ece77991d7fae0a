"""Files and folders that a Modelfile names, as the files of a create request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlxr.actors.registry.catalogue.local_files import MAGIC, members
from mlxr.actors.registry.catalogue.staged_files import MODEL_FILES
from mlxr.models import names
from mlxr.runtime.regular_files import open_regular


def named_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Returns every file by the name that it has within the model: of a folder those that models have.

    Raises ``ValueError`` where two have one name, or a folder holds nothing of a model; ``OSError``.
    """
    found: dict[str, Path] = {}
    for path in paths:
        inside = _folder(path) if path.is_dir() else {_name(path): path}
        if not inside:
            raise ValueError(f"the folder {names.quoted(str(path))} has no files of a model")
        if both := found.keys() & inside.keys():
            raise ValueError(
                f"two files are called {names.quoted(min(both))}; put the parts of a model into one folder"
            )
        found |= inside
    return found


def _folder(path: Path) -> dict[str, Path]:
    inside = (member.path for member in members(path))
    return {each.as_posix(): path / each for each in inside if each.suffix in MODEL_FILES}


def _name(path: Path) -> str:
    """Returns the file's own name; that of a GGUF file ends as such names do, whatever it is called."""
    if path.suffix.lower() == ".gguf":
        return path.name
    with open_regular(path) as file:
        return f"{path.name}.gguf" if file.read(len(MAGIC)) == MAGIC else path.name
