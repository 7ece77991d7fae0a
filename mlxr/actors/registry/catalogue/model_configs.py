"""What is known of models by their names, one file each: ``configs/models/NAME.toml`` of the package, and
``MLXR_HOME/models.d/NAME.toml`` of the user's, which come over them key by key.

A file says where a model comes from, and what stands where neither a request nor the model itself says another: its
template, system prompt, opening messages and parameters.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from mlxr.actors.registry.modelfile import parameters
from mlxr.models import names
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home

MOST_BYTES = 1 << 20
SUFFIX = ".toml"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """An opening message."""

    role: str
    content: str


class ModelConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of one model.

    name: what it is called, where that is not the file's own name (which can hold no ``/`` and no ``:``).
    source: where it comes from, as ``mlxr pull`` takes it; empty for a model that comes from elsewhere.
    digest: SHA-256 in hexadecimal that its file must have (or its folder's listing), where its source is a package.
    size: of that, in bytes.
    aliases: further names that it is meant by.
    template, system: as in a Modelfile.
    parameters: by Ollama's names.
    messages: that stand before every conversation.
    """

    name: str = ""
    source: str = ""
    digest: str = ""
    size: int = 0
    aliases: list[str] = []
    template: str = ""
    system: str = ""
    parameters: dict[str, Any] = {}
    messages: list[Turn] = []


NOTHING = ModelConfig()


class ModelConfigs:
    """What is known of models by name and alias, in any case."""

    def __init__(self, configs: Iterable[ModelConfig]) -> None:
        self.all = list(configs)
        by_alias = {names.key(alias): config for config in self.all for alias in config.aliases}
        self._by_name = {**by_alias, **{names.key(config.name): config for config in self.all}}

    @classmethod
    def load(cls, home: Home) -> ModelConfigs:
        """Returns what the package's files and the user's say. Raises ``ConfigError`` naming file, line and key."""
        made = {names.key(config.name): config for config in read_folder(built_in_folder())}
        for config in read_folder(home.models_d):
            key = names.key(config.name)
            made[key] = _over(config, made[key]) if key in made else config
        return cls(made.values())

    def of(self, name: str, aliases: Iterable[str] = ()) -> ModelConfig:
        """Returns what is known of a model, by its name or else by what else it is called."""
        found = (self._by_name.get(names.key(each)) for each in (name, *aliases))
        return next((config for config in found if config is not None), NOTHING)


def state_of(folder: Path) -> list[tuple[str, int, int]]:
    """Returns what the system says of the files of a folder: another value once one is changed. Empty for none."""
    try:
        with os.scandir(folder) as entries:
            found = [(each.name, each.stat()) for each in entries if each.name.endswith(SUFFIX)]
    except OSError:
        return []
    return sorted((name, status.st_mtime_ns, status.st_size) for name, status in found)


def built_in_folder() -> Path:
    """``configs/models``, where an installed package or a checkout has it."""
    import mlxr

    package = Path(mlxr.__file__).parent
    installed, checkout = (folder / "configs" / "models" for folder in (package, package.parent))
    return installed if installed.is_dir() else checkout


def read_folder(folder: Path) -> list[ModelConfig]:
    """Returns what the files of a folder say, by their names; nothing where there is no folder. Raises as
    ``read_file``."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"can't read {folder}: {error.strerror or error}") from None
    return [read_file(path) for path in files]


def read_file(path: Path) -> ModelConfig:
    """Returns what the file says. Raises ``ConfigError`` naming file, line and key."""
    try:
        data = path.read_bytes()
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{path}: is larger than {MOST_BYTES >> 20} MiB")
        text = data.decode()
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}:{_position(str(error), text)}") from None
    try:
        return _checked(values, path.name.removesuffix(SUFFIX))
    except _WrongKey as error:
        raise ConfigError(f"{path}:{_line(text, error.key)}: {error.key}: {error.reason}") from None


class _WrongKey(Exception):  # noqa: N818  (a message to the caller)
    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason


def _checked(values: Mapping[str, Any], stem: str) -> ModelConfig:
    known = ModelConfig.__struct_fields__
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise _WrongKey(key, f"there is no such key; {f'did you mean {near[0]}?' if near else ', '.join(known)}")
    for key, value in values.items():
        try:
            msgspec.convert({key: value}, ModelConfig)
        except msgspec.ValidationError as error:
            raise _WrongKey(key, str(error).replace(f" - at `$.{key}`", "").replace("`", "")) from None
    config = msgspec.convert(values, ModelConfig)
    made = {}
    for key, value in config.parameters.items():
        try:
            made[key] = parameters.checked(key, value)
        except ValueError as error:
            raise _WrongKey(f"parameters.{key}", str(error)) from None
    for turn in config.messages:
        if turn.role not in ("system", "user", "assistant"):
            raise _WrongKey("messages", f"the role {turn.role!r} is none; it may be system, user, assistant")
    if config.digest and not _DIGEST.fullmatch(config.digest):
        raise _WrongKey("digest", "is 64 hexadecimal digits, in small letters")
    for key, each in (("name", config.name or stem), *(("aliases", alias) for alias in config.aliases)):
        try:
            names.checked(each)
        except ValueError as error:
            raise _WrongKey(key, str(error)) from None
    return structs.replace(config, name=config.name or stem, parameters=made)


def _over(user: ModelConfig, own: ModelConfig) -> ModelConfig:
    """The user's file over the package's: what it says, and of parameters each that it gives."""
    said = {field: value for field, value in structs.asdict(user).items() if value}
    return structs.replace(own, **{**said, "parameters": {**own.parameters, **user.parameters}})


def _position(said: str, text: str) -> str:
    """Returns ``LINE: what is wrong`` of what the TOML reader says."""
    found = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", said, re.DOTALL)
    if found is None:
        return f"{len(text.splitlines()) or 1}: {said.removesuffix(' (at end of document)')}"
    return f"{found[2]}: {found[1]}"


def _line(text: str, key: str) -> int:
    """Returns the line in which ``key`` is given."""
    last = re.escape(key.rpartition(".")[2])
    found = re.search(rf"^[ \t]*(?:parameters\.|\[+)?[\"']?{last}[\"']?[ \t]*(?:=|\.|\])", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1
