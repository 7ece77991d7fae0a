"""Where other tools keep models, by their own rules."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlxr.runtime.regular_files import read_regular

_OLLAMA_SERVICES = {
    "linux": (
        "/usr/share/ollama/.ollama/models",
        "/var/lib/ollama/.ollama/models",
        "/var/lib/ollama/models",
        "/var/snap/ollama/common/models",
    ),
    "darwin": (),
}
"""Of services that run Ollama for every user: its own installer, distributions' packages, snap."""
_MOST_SETTINGS = 4 << 20


class Place(NamedTuple):
    """A folder where a tool keeps models, whether it is there or not. ``asked``: whether a setting of the tool names
    it: then one that is missing is worth a word."""

    tool: str
    folder: Path
    asked: bool = False


def places(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> list[Place]:
    """Returns every folder, each once, those that tools are told to use before their usual ones."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    found = [*_ollama(environment, home, platform), *_lm_studio(home), *_hugging_face(environment, home)]
    found += _llama_cpp(environment, home, platform)
    return list({(place.tool, os.path.realpath(place.folder)): place for place in reversed(found)}.values())[::-1]


def _ollama(environment: Mapping[str, str], home: Path, platform: str) -> Iterator[Place]:
    if told := environment.get("OLLAMA_MODELS", "").strip().strip("\"'"):
        yield Place("ollama", Path(told).expanduser(), True)
    yield Place("ollama", home / ".ollama/models")
    for folder in _OLLAMA_SERVICES.get(platform, ()):
        yield Place("ollama", Path(folder))


def _lm_studio(home: Path) -> Iterator[Place]:
    roots = [home / ".lmstudio", home / ".cache/lm-studio"]
    pointer = _text(home / ".lmstudio-home-pointer").strip()
    if pointer.startswith("/"):
        roots.insert(0, Path(pointer))
    for root in roots:
        told = _settings(root / "settings.json").get("downloadsFolder")
        if isinstance(told, str) and told.startswith("/"):
            yield Place("lmstudio", Path(told), True)
        yield Place("lmstudio", root / "models")
        yield Place("lmstudio", root / ".internal/bundled-models")


def _hugging_face(environment: Mapping[str, str], home: Path) -> Iterator[Place]:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if told := environment.get(name):
            yield Place("huggingface", Path(told).expanduser(), True)
            return
    if told := environment.get("HF_HOME"):
        yield Place("huggingface", Path(told).expanduser() / "hub", True)
        return
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache").expanduser()
    yield Place("huggingface", cache / "huggingface/hub")


def _llama_cpp(environment: Mapping[str, str], home: Path, platform: str) -> Iterator[Place]:
    if told := environment.get("LLAMA_CACHE"):
        yield Place("llama.cpp", Path(told).expanduser(), True)
        return
    usual = home / "Library/Caches" if platform == "darwin" else home / ".cache"
    told = environment.get("XDG_CACHE_HOME", "") if platform != "darwin" else ""
    yield Place("llama.cpp", (Path(told).expanduser() if told else usual) / "llama.cpp")


def _text(path: Path) -> str:
    try:
        return read_regular(path, _MOST_SETTINGS).decode("utf-8", "replace")
    except OSError:
        return ""


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}
