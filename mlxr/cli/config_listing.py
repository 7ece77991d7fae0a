"""Prints the values in force, and where each comes from."""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct

from mlxr.cli import printing
from mlxr.runtime.config import Section, description, did_you_mean, sections_of, toml_value
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.printable import printable
from mlxr.server.config import SECRET, Config


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
    printing.print_json([msgspec.to_builtins(setting.without_secrets(SECRET)) for setting in settings])


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
