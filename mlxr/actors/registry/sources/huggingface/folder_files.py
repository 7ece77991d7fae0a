"""The files of a model in safetensors among those of a repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mlxr.models.adapters.file_names import CONFIG as ADAPTER_CONFIG
from mlxr.models.adapters.file_names import WEIGHTS as ADAPTER_WEIGHTS
from mlxr.models.formats.gguf.split import CONFIG
from mlxr.runtime.errors import PullError

SAFETENSORS = ".safetensors"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_TEXTS = (".json", ".jinja", ".txt", ".model", ".tiktoken")
_MODULE = re.compile(r"\d+_[A-Za-z]+")
"""Folders of sentence-transformers' modules."""


def folder_files(paths: Sequence[str], root: str) -> tuple[str, ...]:
    """Returns the files of a model or adapter of safetensors in the folder ``root``, its configuration first; none
    where there is none."""
    own = [path for path in paths if path.startswith(root) and "/" not in path[len(root) :]]
    here = {path[len(root) :] for path in own}
    texts = [path for path in own if path.lower().endswith(_TEXTS) and not path.lower().endswith("readme.md")]
    if CONFIG in here:
        weights = _weights(root, here)
        beside = [path for path in paths if path.startswith(root) and _beside(path[len(root) :])]
    elif ADAPTER_CONFIG in here:
        weights = [f"{root}{name}" for name in ADAPTER_WEIGHTS if name in here and name.endswith(SAFETENSORS)]
        beside = []
    else:
        return ()
    if not weights:
        return ()
    first = f"{root}{CONFIG if CONFIG in here else ADAPTER_CONFIG}"
    rest = sorted({*texts, *beside} - {first})
    return (first, *rest, *sorted(weights))


def _weights(root: str, here: set[str]) -> list[str]:
    """The safetensors of a folder, less copies of the same weights in other layouts. An index says itself which files
    are its own (``listed_weights``)."""
    if SINGLE in here and INDEX not in here:
        return [f"{root}{SINGLE}"]
    found = [name for name in here if name.endswith(SAFETENSORS) and not name.startswith("consolidated")]
    if ADAPTER_CONFIG in here:
        found = [name for name in found if name not in ADAPTER_WEIGHTS]
    return [f"{root}{name}" for name in found]


def _beside(path: str) -> bool:
    """Whether a file in a folder of a model's folder belongs to it: sentence-transformers' modules, more templates."""
    first, slash, rest = path.partition("/")
    if not slash or "/" in rest:
        return False
    if first == "additional_chat_templates":
        return rest.endswith(".jinja")
    return bool(_MODULE.fullmatch(first)) and rest.endswith((".json", SAFETENSORS))


def listed_weights(paths: Sequence[str], root: str, listed: Iterable[str]) -> tuple[str, ...]:
    """``paths`` of a model in the folder ``root`` ('' or with a slash at its end) with those safetensors alone that its
    index lists; those of its modules stay. Raises ``PullError`` where one is missing."""
    wanted = {f"{root}{name}" for name in listed}
    if missing := sorted(wanted - set(paths)):
        raise PullError(f"{missing[0]}, which {root}{INDEX} lists, is not in the repository; tell its owner")
    return tuple(path for path in paths if path in wanted or not path.endswith(SAFETENSORS) or "/" in path[len(root) :])
