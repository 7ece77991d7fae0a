"""Model names as people type them: ``[HOST/][NAMESPACE/]MODEL[:TAG]``, ``TOOL:NAME`` for a model in another tool's
store, or the path of a local file.

Letter case is kept for display and does not count in look-ups; no tag means ``:latest``. These are Ollama's rules.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*(?::\d+)?/)?"
_NAME = re.compile(rf"{_HOST}(?:{_PART}/)*{_PART}(?::{_PART})?")
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, line ends, changes of the direction of writing, and halves of surrogate pairs."""
TOOLS = ("ollama", "lmstudio", "huggingface", "llama.cpp")
"""Whose stores are read in place."""
_IN_STORE = re.compile(rf"({'|'.join(map(re.escape, TOOLS))}):(.+)", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""How addresses begin, of whatever kind."""
_DEFAULT_TAG = ":latest"
_MOST_NAME = 512
MOST_PATH = 4096
"""Characters of a name, and of a path."""


_HUB = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/|hf:(?://|(?=[^/:]+/))", re.IGNORECASE)
HUB = "hf.co/"
"""How names of the Hugging Face Hub begin, whichever of its addresses was typed."""


def tidy(name: str) -> str:
    """``name`` without surrounding space and without the tag that goes without saying."""
    name = name.strip()
    return name[: -len(_DEFAULT_TAG)] if name.lower().endswith(_DEFAULT_TAG) else name


@lru_cache(256)
def key(name: str) -> str:
    """Returns what two spellings of one name share."""
    return _HUB.sub(HUB, tidy(name), count=1).casefold() if _HUB.match(name.strip()) else tidy(name).casefold()


def on_hub(name: str) -> str | None:
    """Returns what follows the Hub's address in ``name``; None where it does not begin with one."""
    match = _HUB.match(name.strip())
    return name.strip()[match.end() :] if match else None


def checked(name: str) -> str:
    """``tidy(name)``; raises ``ValueError`` for what can't name a model."""
    tidied = tidy(name)
    if len(tidied) > _MOST_NAME or not _NAME.fullmatch(tidied):
        raise ValueError(
            f"{quoted(name)} is no model name; use letters, digits and . _ - as in NAME:TAG or OWNER/NAME:TAG"
        )
    return tidied


def plain(text: str) -> bool:
    """Whether ``text`` is one line of characters that a terminal only shows, and that UTF-8 has."""
    return not _ODD.search(text)


def escaped(text: str) -> str:
    """``text`` with what is not ``plain`` written out as JSON writes it: ``\\u001b`` for an escape. Tabs stay."""
    return _ODD.sub(lambda odd: odd[0] if odd[0] == "\t" else f"\\u{ord(odd[0]):04x}", text)


def quoted(name: str) -> str:
    """``name`` for a message: what a terminal would act on is escaped, and what is too long to read is cut."""
    return repr(name) if len(name) <= 200 else f"{name[:200]!r}..."


def on_web(name: str) -> bool:
    """Whether ``name`` is an address: of the web, or of the Hub in any of its forms."""
    return name.strip().lower().startswith(("https://", "http://")) or on_hub(name) is not None


def web_host(name: str) -> str:
    """Returns the host of an address of the web; '' where ``name`` is none, or one of the Hub."""
    if not on_web(name) or on_hub(name) is not None:
        return ""
    try:
        return urlsplit(name.strip()).hostname or ""
    except ValueError:
        return ""


def in_tool_store(name: str) -> tuple[str, str] | None:
    """Returns the tool and what it calls the model where ``name`` is ``TOOL:NAME``, None where it is not. A catalogue
    name may look the same (``ollama:7b``), and then comes first."""
    match = _IN_STORE.fullmatch(name.strip()) if plain(name) and len(name) <= MOST_PATH else None
    return None if match is None else (match[1].lower(), match[2])


def outside_catalogue(name: str) -> bool:
    """Whether ``name`` may mean files that are not catalogued: a path, or what another tool has."""
    return local_file(name) is not None or in_tool_store(name) is not None


def local_file(name: str) -> Path | None:
    """Returns the path that ``name`` means, or None where it is a catalogue name.

    A path ends in ``.gguf`` or begins with ``/``, ``./``, ``../`` or ``~/``, or is one of these without a slash; it
    need not exist. What is not ``plain`` is no path, nor what no system would take for one, nor ``TOOL:NAME``, an
    address (``ftp://HOST/FILE.gguf``), or the Hub's.
    """
    if not plain(name) or len(name) > MOST_PATH or in_tool_store(name) or on_web(name) or _ADDRESS.match(name.strip()):
        return None
    if name.startswith("~/") or name == "~":
        return Path.home() / name[2:]
    if name.startswith(("/", "./", "../")) or name in (".", "..") or name.lower().endswith(".gguf"):
        return Path(name).absolute()
    return None
