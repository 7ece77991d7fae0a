"""The built web application as files in memory's reach: names, types, and forms that are compressed already."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from msgspec import Struct

BUILT = Path(__file__).with_name("dist")
PAGE = "index.html"

_ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""Content codings with what their files' names end in, the best first."""

_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
"""Those that systems disagree about."""


HOW_TO_BUILD = (
    "the web application is not built here: with Node 20.19 or newer installed, `make setup` in mlxr's folder builds "
    "it; wheels have it. Everything else works without"
)


def is_built(bundle: Path = BUILT) -> bool:
    """Returns whether the application's page is in the folder that it is built to."""
    return (bundle / PAGE).is_file()


class File(Struct, frozen=True):
    """One file of the bundle.

    type: of its content.
    etag: changes with the content.
    immutable: another content would have another name.
    forms: where it lies, by content coding; '' is the plain form.
    """

    type: str
    etag: str
    immutable: bool
    forms: dict[str, Path]

    def form(self, accepted: str) -> tuple[str, Path]:
        """Returns the content coding and the place of the smallest form that an ``Accept-Encoding`` header takes."""
        wanted = {
            coding.strip().lower()
            for coding, _, weight in (part.partition(";") for part in accepted.split(","))
            if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        }
        return next(((coding, path) for coding, path in self.forms.items() if coding in wanted), ("", self.forms[""]))


class Bundle:
    """The files below ``root`` by name. Nothing else can be asked for, whatever a path says."""

    def __init__(self, root: Path) -> None:
        found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
        suffixes = tuple(_ENCODINGS.values())
        self._files = {name: _file(name, found) for name in found if not name.endswith(suffixes)}

    def __bool__(self) -> bool:
        return PAGE in self._files

    def get(self, name: str) -> File | None:
        return self._files.get(name)


def _file(name: str, found: dict[str, Path]) -> File:
    path = found[name]
    forms = {coding: found[name + suffix] for coding, suffix in _ENCODINGS.items() if name + suffix in found}
    return File(
        type=_TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
        etag=f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:20]}"',
        immutable=name.startswith("assets/"),
        forms={**forms, "": path},
    )
