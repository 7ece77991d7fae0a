"""Changes a configuration file: its comments and order stay, and it is never half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, get_type_hints

import tomlkit
from tomlkit.exceptions import ParseError

from mlxr.cli.config_listing import no_key
from mlxr.runtime.config import from_argument, from_text, read_file, sections_of
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.whole_files import write_whole
from mlxr.server.config import Config


def set_key(file: Path, key: str, values: list[str]) -> str:
    """Writes a key's value into ``file``, which is made if it isn't there. Returns the value as TOML. Raises
    ``ConfigError`` for a value that the key does not take, or a file that is wrong elsewhere."""
    section, name = _known(key)
    expected = get_type_hints(sections_of(Config)[section])[name]
    text = ",".join(values) if expected == list[str] else " ".join(values)
    document = _parsed(file)
    if section not in document:
        document[section] = tomlkit.table()
    table = _table(document, section, file)
    table[name] = _as_expected(expected, from_argument(expected, text))
    _check_one(section, name, table[name])
    changed = tomlkit.dumps(document)
    from_text(Config(), changed, str(file))
    write(file, changed)
    return str(table[name].as_string())


def unset_key(file: Path, key: str) -> None:
    """Takes a key out of ``file``, whatever its value was, and the section's head with the last of its keys."""
    section, _, name = key.partition(".")
    document = _parsed(file)
    if section not in document or name not in _table(document, section, file):
        _known(key)
        raise ConfigError(f"{key} is not set in {file}")
    table = _table(document, section, file)
    del table[name]
    if not table.unwrap() and not table.as_string().strip():
        del document[section]
    write(file, tomlkit.dumps(document))


def write(file: Path, text: str) -> None:
    """Puts ``text`` in the place of the file, whole or not at all; what it is a link to stays in its place. It may hold
    keys, so a new one is its user's alone."""
    target = Path(os.path.realpath(file))
    try:
        write_whole(target, text, stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600)
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror}") from error


def _known(key: str) -> tuple[str, str]:
    section, _, name = key.partition(".")
    sections = sections_of(Config)
    if section not in sections or name not in sections[section].__struct_fields__:
        raise no_key(key)
    return section, name


def _parsed(file: Path) -> tomlkit.TOMLDocument:
    if not file.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(read_file(file))
    except ParseError as error:
        raise ConfigError(f"{file}:{error.line}: {error}; `mlxr config edit` opens it") from error


def _table(document: tomlkit.TOMLDocument, section: str, file: Path) -> Any:
    table = document[section]
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: [{section}] is a section, not a value; `mlxr config edit` opens the file")
    return table


def _as_expected(expected: object, value: object) -> Any:
    return tomlkit.item(float(value) if expected is float and isinstance(value, int) else value)


def _check_one(section: str, name: str, value: Any) -> None:
    """Raises ``ConfigError`` for a value that the key does not take, in words that do not speak of a file."""
    from mlxr.runtime.config import Flag, load

    load(Config, flags=[Flag(f"{section}.{name}", f"{section}.{name}", value.unwrap())])
