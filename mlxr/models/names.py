"""Model names as people type them: ``[HOST/][NAMESPACE/]MODEL[:TAG]``, or the path of a local file.

Letter case is kept for display and does not count in look-ups; no tag means ``:latest``. These are Ollama's rules.
"""

from __future__ import annotations

import re
from pathlib import Path

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*(?::\d+)?/)?"
_NAME = re.compile(rf"{_HOST}(?:{_PART}/)*{_PART}(?::{_PART})?")
_DEFAULT_TAG = ":latest"


def tidy(name: str) -> str:
    """``name`` without surrounding space and without the tag that goes without saying."""
    name = name.strip()
    return name[: -len(_DEFAULT_TAG)] if name.lower().endswith(_DEFAULT_TAG) else name


def key(name: str) -> str:
    """What two spellings of one name share."""
    return tidy(name).casefold()


def checked(name: str) -> str:
    """``tidy(name)``; raises ``ValueError`` for what can't name a model."""
    tidied = tidy(name)
    if not _NAME.fullmatch(tidied):
        raise ValueError(f"{name!r} is no model name; use letters, digits and . _ - as in NAME:TAG or OWNER/NAME:TAG")
    return tidied


def quoted(name: str) -> str:
    """``name`` for a message: what a terminal would act on is escaped, and what is too long to read is cut."""
    return repr(name) if len(name) <= 200 else f"{name[:200]!r}..."


def local_file(name: str) -> Path | None:
    """The path that ``name`` means, or None where it is a catalogue name.

    A path ends in ``.gguf`` or begins with ``/``, ``./``, ``../`` or ``~``; it need not exist.
    """
    if name.startswith(("/", "./", "../", "~")) or name.lower().endswith(".gguf"):
        return Path(name).expanduser().absolute()
    return None
