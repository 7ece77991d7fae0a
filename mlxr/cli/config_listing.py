"""The values in force, and where each comes from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mlxr.cli import printing
from mlxr.runtime.config import (
    RESERVED,
    Flag,
    Section,
    description,
    did_you_mean,
    key_of_variable,
    load,
    read_file,
    sections_of,
    toml_value,
)
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.printable import printable
from mlxr.server.config import Config

SECRET = ("server.api_keys",)
"""Keys whose values are not listed."""

DEFAULT = "default"


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


def everything(file: Path | None, environment: Mapping[str, str], flags: Iterable[Flag]) -> list[Setting]:
    """Returns every key, in the order of the sections. Raises ``ConfigError`` for what is wrong in any source."""
    flags = list(flags)
    values = msgspec.to_builtins(load(Config, file, environment, flags))
    defaults = msgspec.to_builtins(Config())
    sources = _sources(file, environment, flags)
    found: list[Setting] = []
    for section, kind in sections_of(Config).items():
        for key in kind.__struct_fields__:
            name = f"{section}.{key}"
            source, where = sources.get(name, (DEFAULT, ""))
            about = description(kind, key) or ""
            found.append(Setting(name, values[section][key], source, where, defaults[section][key], about))
    return found


def _sources(file: Path | None, environment: Mapping[str, str], flags: list[Flag]) -> dict[str, tuple[str, str]]:
    """Returns what set each key that is set: the kind of source, and its name."""
    sources: dict[str, tuple[str, str]] = {}
    if file is not None:
        for section, keys in tomllib.loads(read_file(file)).items():
            sources |= {f"{section}.{key}": ("file", str(file)) for key in keys}
    for name in environment:
        if name.startswith("MLXR_") and name not in RESERVED:
            sources[".".join(key_of_variable(sections_of(Config), name))] = ("environment", name)
    for flag in flags:
        if flag.value is not None:
            sources[flag.key] = ("option", flag.name)
    return sources


def print_toml(settings: list[Setting]) -> None:
    """Prints TOML that means what is in force, but for keys that let clients in."""
    section = ""
    for setting in settings:
        before, _, key = setting.key.partition(".")
        if before != section:
            print(f"{chr(10) if section else ''}{_heading(before)}")
            section = before
        where = f"{setting.source}: {setting.where}" if setting.where else ""
        comment = "; ".join(part for part in (where, setting.about) if part)
        if setting.key in SECRET and setting.value:
            print(printable(f"# {key} is set ({where}); `mlxr config get {setting.key}` shows it"))
            continue
        text = f"{key} = {toml_value(setting.value)}"
        print(printable(f"{text:<29} # {comment}" if comment else text))


def _heading(section: str) -> str:
    about = description(Config, section)
    return f"{f'[{section}]':<29} # {about}" if about else f"[{section}]"


def print_json(settings: list[Setting]) -> None:
    shown = [
        msgspec.structs.replace(setting, value=["***" for _ in setting.value]) if setting.key in SECRET else setting
        for setting in settings
    ]
    printing.print_json(msgspec.to_builtins(shown))


def print_one(settings: list[Setting], key: str, as_json: bool) -> None:
    """Prints one value as a shell would have it, a list's a line each. Raises ``ConfigError`` for no key."""
    found = next((setting for setting in settings if setting.key == key), None)
    if found is None:
        raise no_key(key)
    if as_json:
        printing.print_json(msgspec.to_builtins(found))
        return
    for value in found.value if isinstance(found.value, list) else [found.value]:
        print(printable(value if isinstance(value, str) else json.dumps(value)))


def no_key(key: str) -> ConfigError:
    """Returns the error for a key that does not exist, with the nearest one."""
    names = [f"{section}.{name}" for section, kind in sections_of(Config).items() for name in kind.__struct_fields__]
    section = key.partition(".")[0]
    kind: type[Struct] = sections_of(Config).get(section, Section)
    has = f"[{section}] has {', '.join(kind.__struct_fields__)}" if kind is not Section else "`mlxr config` lists them"
    return ConfigError(f"there is no key {key}; {did_you_mean(key, names, '{}') or has}")
