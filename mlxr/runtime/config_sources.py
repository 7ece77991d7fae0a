"""The values of a configuration that are in force, and where each comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mlxr.runtime.config import RESERVED, Flag, description, key_of_variable, load, read_file, sections_of

DEFAULT, FILE, ENVIRONMENT, OPTION = "default", "file", "environment", "option"

HIDDEN = "***"

_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""The name and password of a URL."""


class Setting(Struct, frozen=True):
    """A key of the configuration.

    key: section.key.
    value: what is in force.
    source: default, file, environment or option.
    where: the file, the variable or the option; empty for a default.
    default: what holds if nothing sets it.
    about: what it means.
    """

    key: str
    value: Any
    source: str
    where: str
    default: Any
    about: str

    def without_secrets(self, secret: Collection[str]) -> Setting:
        """Returns this with a mark for each value of a key in ``secret``, and for the logins of URLs."""
        if self.key in secret:
            hidden: Any = [HIDDEN for _ in self.value] if isinstance(self.value, list) else self.value and HIDDEN
            return msgspec.structs.replace(self, value=hidden)
        return msgspec.structs.replace(self, value=_without_login(self.value))


def everything(
    kind: type[Struct], file: Path | None, environment: Mapping[str, str], flags: Iterable[Flag]
) -> list[Setting]:
    """Returns every key of ``kind``, in the order of its sections. Raises ``ConfigError`` for what is wrong in any
    source."""
    flags = list(flags)
    values = msgspec.to_builtins(load(kind, file, environment, flags))
    defaults = msgspec.to_builtins(kind())
    sources = _sources(kind, file, environment, flags)
    found: list[Setting] = []
    for section, part in sections_of(kind).items():
        for key in part.__struct_fields__:
            name = f"{section}.{key}"
            source, where = sources.get(name, (DEFAULT, ""))
            about = description(part, key) or ""
            found.append(Setting(name, values[section][key], source, where, defaults[section][key], about))
    return found


def _sources(
    kind: type[Struct], file: Path | None, environment: Mapping[str, str], flags: list[Flag]
) -> dict[str, tuple[str, str]]:
    """Returns what set each key that is set: the kind of source, and its name."""
    sources: dict[str, tuple[str, str]] = {}
    if file is not None:
        for section, keys in tomllib.loads(read_file(file)).items():
            sources |= {f"{section}.{key}": (FILE, str(file)) for key in keys}
    for name in environment:
        if name.startswith("MLXR_") and name not in RESERVED:
            sources[".".join(key_of_variable(sections_of(kind), name))] = (ENVIRONMENT, name)
    for flag in flags:
        if flag.value is not None:
            sources[flag.key] = (OPTION, flag.name)
    return sources


def _without_login(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_login(each) for each in value]
    return _LOGIN.sub(HIDDEN, value) if isinstance(value, str) else value
