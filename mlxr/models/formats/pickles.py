"""Weights as Python pickles (PyTorch's ``pytorch_model.bin``, ``.pt``, ``.ckpt``): known by name, and never read.

Loading one runs whatever code its writer put there.
"""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
ARCHIVE, PROTOCOL = b"PK\x03\x04", b"\x80"
"""How a file of PyTorch begins, which is a ZIP archive with a pickle in it, and a pickle by itself."""
MOST_ENTRIES = 4096

REFUSED = (
    "a pickle, which mlxr never reads since loading one may run any code; take the model's *.safetensors or GGUF "
    "files, or convert it where you trust it (transformers' save_pretrained writes safetensors)"
)
"""Reads well after the file's name and ``is``."""


def named_as_pickle(name: str) -> bool:
    """Whether a file of that name is a pickle by its ending."""
    return name.lower().endswith(SUFFIXES)


def begins_as_pickle(start: bytes) -> bool:
    """Whether a file with these first bytes is a pickle, or an archive that holds one."""
    return start.startswith(ARCHIVE) or (start[:1] == PROTOCOL and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def pickle_in(folder: Path) -> str:
    """Returns the name of a pickle in a folder, the first of several; empty where there is none."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MOST_ENTRIES:
                break
            if named_as_pickle(entry.name):
                found.append(entry.name)
    return min(found, default="")
