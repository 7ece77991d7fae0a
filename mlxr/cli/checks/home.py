"""Checks of MLXR_HOME: its owner and mode, the configuration, run directories, the catalogue and the files in it."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import stat
import tomllib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from mlxr.cli.checks.finding import Finding, error, ok, warn
from mlxr.runtime.config import load
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import live
from mlxr.runtime.sqlite_files import is_damage
from mlxr.server.config import Config


class KnownModel(NamedTuple):
    """A name in the catalogue, and the file or folder that it stands for."""

    name: str
    path: Path
    size: int


def folder(home: Home, user: int) -> Finding:
    """Whether ``user`` can write to the home, and owns it."""
    root = home.root
    if not root.exists():
        nearest = next(above for above in root.parents if above.exists())
        if not os.access(nearest, os.W_OK):
            return error(
                "home", f"{root} can't be made: {nearest} is not yours to write to", "export MLXR_HOME=~/.mlxr"
            )
        return ok("home", f"{root} (not there yet)")
    quoted = shlex.quote(str(root))
    status = root.stat()
    if not root.is_dir():
        return error("home", f"{root} is no folder", f"mv {quoted} {quoted}.old")
    if status.st_uid != user:
        return error(
            "home", f"{root} belongs to another user (uid {status.st_uid})", f"sudo chown -R $(id -u) {quoted}"
        )
    if not os.access(root, os.W_OK | os.X_OK):
        return error("home", f"{root} is read-only: no model can be added", f"chmod u+rwx {quoted}")
    if stat.S_IMODE(status.st_mode) & 0o077:
        return warn("home", f"others on this machine can look into {root}", f"chmod 700 {quoted}")
    return ok("home", str(root))


def configuration(file: Path | None, environment: Mapping[str, str]) -> Finding:
    """Whether the configuration can be read, and keeps its keys."""
    try:
        load(Config, file, environment)
    except ConfigError as refusal:
        return error("configuration", str(refusal), "mlxr config edit")
    if file is None:
        return ok("configuration", "no file, so defaults hold")
    mode = stat.S_IMODE(file.stat().st_mode)
    keys = tomllib.loads(file.read_text(encoding="utf-8")).get("server", {}).get("api_keys")
    if keys and mode & 0o044:
        text = f"{file} holds keys, and others on this machine can read it"
        return warn("configuration", text, f"chmod 600 {shlex.quote(str(file))}")
    return ok("configuration", str(file))


def run_directories(home: Home) -> Finding:
    """What servers that were killed have left."""
    parent = home.run
    if not parent.is_dir():
        return ok("run directories", "none")
    running = set(live(parent))
    stale = [path for path in sorted(parent.iterdir()) if path.is_dir() and path not in running]
    if stale:
        names = ", ".join(path.name for path in stale)
        mend = f"rm -r {' '.join(shlex.quote(str(path)) for path in stale)}  (the next `mlxr up` does it, too)"
        return warn("run directories", f"servers were killed and left theirs: {names}", mend)
    return ok("run directories", f"{len(running)} of servers that run" if running else "none")


def database(home: Home) -> Finding:
    """Whether the catalogue can be read."""
    if not home.database.exists():
        return ok("catalogue", "there is none yet")
    quoted = shlex.quote(str(home.database))
    mend = f"mv {quoted} {quoted}.damaged  (it is made anew of the model files)"
    try:
        with closing(_opened(home)) as opened:
            told = [str(row[0]) for row in opened.execute("PRAGMA quick_check(3)")]
            opened.execute("SELECT count(*) FROM models").fetchone()
    except sqlite3.Error as refusal:
        if not is_damage(refusal):
            return error("catalogue", f"{home.database} can't be read now ({refusal})", _why_unread(home))
        return error("catalogue", f"{home.database} is damaged ({refusal})", mend)
    if told != ["ok"]:
        return error("catalogue", f"{home.database} is damaged ({'; '.join(told)})", mend)
    return ok("catalogue", str(home.database))


def _why_unread(home: Home) -> str:
    """What mends a catalogue that the system keeps from us; never to put it aside, since its names are in it."""
    if shutil.disk_usage(home.root).free < 1 << 20:
        return f"df {shlex.quote(str(home.root))}  (make room on that disk)"
    return f"ls -l {shlex.quote(str(home.root))}  (see that it is yours, and that its disk is well)"


def known_models(home: Home) -> list[KnownModel] | None:
    """Returns every name of the catalogue, none where there is none yet; None where it can't be read."""
    try:
        if not home.database.exists():
            return []
        with closing(_opened(home)) as opened:
            rows = opened.execute("SELECT name, path, size FROM models JOIN blobs USING (digest)").fetchall()
    except (OSError, sqlite3.Error):
        return None
    return [KnownModel(name, home.models / path, size) for name, path, size in rows]


def model_files(models: list[KnownModel] | None) -> list[Finding]:
    """Returns the names whose files are gone, a finding each; nothing where the catalogue could not be read."""
    if models is None:
        return []
    gone = [
        error("models", f"the files of {model.name} are gone ({model.path})", f"mlxr rm {shlex.quote(model.name)}")
        for model in models
        if not model.path.exists()
    ]
    return gone or [ok("models", f"{len(models)} in the catalogue, with their files")]


def _opened(home: Home) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(home.database))}?mode=ro", uri=True, timeout=2.0)
