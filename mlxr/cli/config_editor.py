"""``mlxr config edit``: the configuration file in the user's editor, checked before it counts."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from mlxr.cli.config_file import write
from mlxr.runtime.config import from_text, read_file
from mlxr.runtime.errors import ConfigError
from mlxr.server.config import Config

EDITORS = ("nano", "vim", "vi")
SCREEN_EDITORS = (*EDITORS, "nvim", "emacs", "micro", "hx", "joe", "pico")
"""Those that draw on a terminal: without one they wait for ever, or fill what reads them with its codes."""


def edit(file: Path, defaults: Path) -> None:
    """Has a copy edited, and puts it in the place of ``file`` once it is right. Where there is no file, the copy shows
    every key with its default, behind a #."""
    command = _editor()
    if os.path.basename(command[0]) in SCREEN_EDITORS and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            f"{command[0]} needs a terminal, and there is none; `mlxr config set SECTION.KEY VALUE` changes a key "
            "without, or EDITOR names a program that edits by itself"
        )
    before = read_file(file) if file.exists() else _commented(defaults.read_text(encoding="utf-8"))
    descriptor, name = tempfile.mkstemp(prefix="mlxr-config-", suffix=".toml")
    os.close(descriptor)
    copy = Path(name)
    copy.write_text(before, encoding="utf-8")
    while True:
        try:
            subprocess.run([*command, name], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            copy.unlink()
            raise ConfigError(f"the editor {command[0]} failed ({error}); EDITOR names another") from error
        text = read_file(copy)
        if text == before:
            copy.unlink()
            print(f"nothing was changed in {file}")
            return
        try:
            from_text(Config(), text, str(file))
        except ConfigError as error:
            if sys.stdin.isatty() and typer.confirm(f"{error}\nEdit again?", default=True, err=True):
                continue
            raise ConfigError(f"{error}; {file} is as it was, and what you wrote is in {copy}") from None
        write(file, text)
        copy.unlink()
        print(f"{file} is written")
        return


def _editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if chosen:
        return shlex.split(chosen)
    found = next((path for name in EDITORS if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError("there is no editor here; EDITOR names one, and `mlxr config set` changes a key without")
    return [found]


def _commented(text: str) -> str:
    """Returns the file of defaults with its keys behind a #, so that later defaults hold for what is left so."""
    lines = [f"# {line}" if "=" in line and not line.startswith("#") else line for line in text.splitlines()]
    return "\n".join(lines) + "\n"
