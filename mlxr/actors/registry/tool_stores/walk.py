"""Looking through folders that others fill: what can't be read is told in a line, and nothing is followed for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlxr.actors.registry.tool_stores.tool_model import MOST_ENTRIES
from mlxr.models import names


@dataclass(slots=True)
class Walk:
    """A look through one store.

    label: what people call the tool.
    problems: a line for each place that could not be read.
    """

    label: str
    problems: list[str] = field(default_factory=list)
    _left: int = MOST_ENTRIES

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Returns what lies in ``folder``, by name; nothing where it is not there or can't be read."""
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._left == 0:
                        self.problems.append(
                            f"{self.label}: {folder} and what follows was not looked at: too many files"
                        )
                        self._left = -1
                    if self._left < 0:
                        break
                    self._left -= 1
                    if names.plain(entry.name):
                        found.append(entry)
                    else:
                        shown = names.quoted(entry.name)
                        self.problems.append(f"{self.label}: the name {shown} in {folder} is not one plain line")
        except FileNotFoundError:
            return []
        except OSError as error:
            self.problems.append(unreadable(self.label, folder, error))
        return sorted(found, key=lambda entry: entry.name)

    def folders(self, folder: Path) -> Iterator[Path]:
        """Yields the folders in ``folder``, links among them."""
        for entry in self.entries(folder):
            if self.is_folder(entry):
                yield Path(entry.path)

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Whether it is a folder, or a link to one; a link in a circle is told."""
        try:
            return entry.is_dir()
        except OSError as error:
            self.problems.append(unreadable(self.label, Path(entry.path), error))
            return False

    def is_file(self, entry: os.DirEntry[str]) -> bool:
        """Whether it is a regular file, or a link to one; a link that leads nowhere is told."""
        try:
            if entry.is_file():
                return True
            if entry.is_symlink() and not entry.is_dir():
                self.problems.append(f"{self.label}: {entry.path} is a link that leads nowhere; fetch its model again")
        except OSError as error:
            self.problems.append(unreadable(self.label, Path(entry.path), error))
        return False


def unreadable(label: str, path: Path, error: OSError) -> str:
    """Returns a line on a place that can't be read, with the way out where the system's owner keeps others from it."""
    reason = error.strerror or str(error)
    if not isinstance(error, PermissionError):
        return f"{label}: {path} can't be read: {reason}"
    return f"{label}: {path} can't be read: {reason}; `sudo chmod -R a+rX {path}` lets you and everybody read it"
