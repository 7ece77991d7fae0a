"""What a shell offers for a half-typed argument.

This runs at every press of TAB, so it reads the catalogue's file itself and loads nothing that reads models. Whatever
goes wrong, it offers nothing.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from mlxr.runtime.errors import MlxrError
from mlxr.runtime.paths import Home

MOST_OFFERED = 500


def complete_model(incomplete: str) -> list[str]:
    """Returns names, aliases and paths of models that begin so."""
    if incomplete.startswith(("/", "./", "../", "~/")):
        return _paths(incomplete)
    lowered = incomplete.lower()
    # A model that was pulled from a path has that for an alias: offered is it to who begins one.
    known = [name for name in model_names() if not name.startswith("/")]
    return [name for name in known if name.lower().startswith(lowered)][:MOST_OFFERED]


def complete_source(incomplete: str) -> list[str]:
    """Returns what ``mlxr pull`` takes and begins so: names that are known from the start, those of models that are
    here, and paths."""
    # Of what reads models, which other commands do without.
    from mlxr.actors.registry.catalogue.model_configs import ModelConfigs

    found = complete_model(incomplete)
    with suppress(MlxrError, OSError):
        known = [config.name for config in ModelConfigs.load(Home.find()).all if config.source]
        found += [name for name in known if name.startswith(incomplete.lower()) and name not in found]
    return found


def complete_key(incomplete: str) -> list[str]:
    """Returns keys of the configuration that begin so."""
    import tomllib

    from mlxr.cli.configuration import default_file

    with suppress(OSError, tomllib.TOMLDecodeError):
        sections = tomllib.loads(default_file().read_text(encoding="utf-8"))
        keys = [f"{section}.{key}" for section, values in sections.items() for key in values]
        return [key for key in keys if key.startswith(incomplete)]
    return []


def complete_loaded(incomplete: str) -> list[str]:
    """Returns names of models that a server of this home has loaded, else of all."""
    # Of the registry's kind, which other commands do without.
    from mlxr.actors.registry.lifecycle.state_file import EngineStateFile
    from mlxr.runtime.run_directory import live

    with suppress(MlxrError, OSError):
        states = [EngineStateFile(directory).read(0.0) for directory in live(Home.find().run)]
        loaded = {model for engines in states for engine in engines for model in engine.active}
        if loaded:
            return sorted(name for name in loaded if name.lower().startswith(incomplete.lower()))
    return complete_model(incomplete)


def complete_file_type(incomplete: str) -> list[str]:
    """Returns the types of quantized files that begin so, in any case."""
    from mlxr.models.quantization.file_types import FILE_TYPES

    return [type.name for type in FILE_TYPES if type.name.startswith(incomplete.upper())]


def model_names() -> list[str]:
    """Returns every name and alias in the catalogue of this home."""
    import sqlite3

    with suppress(MlxrError, OSError, sqlite3.Error):
        uri = f"file:{quote(str(Home.find().database))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.1)) as database:
            rows = database.execute("SELECT name FROM models UNION SELECT alias FROM aliases ORDER BY 1").fetchall()
            return [str(name) for (name,) in rows]
    return []


def _paths(incomplete: str) -> list[str]:
    """Returns folders and .gguf files, spelled as they were begun."""
    written, _, begun = incomplete.rpartition("/")
    folder = Path(os.path.expanduser(written or "/"))
    found: list[str] = []
    with suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if not entry.name.startswith(begun) or (entry.name.startswith(".") and not begun):
                continue
            if entry.is_dir():
                found.append(f"{written}/{entry.name}/")
            elif entry.name.lower().endswith(".gguf"):
                found.append(f"{written}/{entry.name}")
    return found[:MOST_OFFERED]
