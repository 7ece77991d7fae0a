"""Names of models on the Hugging Face Hub, in the forms that people type and copy.

hf.co/ORG/REPO[@REVISION][:TAG]        as Ollama has them; also huggingface.co/..., hf:..., hf://...
ORG/REPO[@REVISION][:TAG]              as llama.cpp's -hf and the Hub's own tools have them
https://huggingface.co/ORG/REPO        the address of a page, also .../blob|resolve|raw/REVISION/FILE, .../tree/REVISION

TAG says which of several models in a repository is meant: the name of a quantization in any case, or of a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

MAIN = "main"
_REPO = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REFERENCE = re.compile(rf"((?:{_REPO}/)?{_REPO})(?:@([A-Za-z0-9._/-]{{1,200}}))?(?::([A-Za-z0-9._/+ -]{{1,200}}))?")
_PLAIN = re.compile(rf"{_REPO}/{_REPO}(?:@[A-Za-z0-9._/-]{{1,200}})?(?::[A-Za-z0-9._/+ -]{{1,200}})?")
_PAGE = re.compile(rf"({_REPO}/{_REPO})/(blob|resolve|raw|tree)/([^/]+)(?:/(.*))?")
_FILE = re.compile(rf"({_REPO}/{_REPO})/([^:@]+\.gguf)", re.IGNORECASE)
_OTHERS = ("datasets", "spaces", "collections", "papers", "docs", "api", "models", "blog", "settings")
"""First words of the Hub's addresses that are no organizations."""


@dataclass(frozen=True, slots=True)
class HubName:
    """A model on the Hub.

    repo: ORG/REPO.
    revision: a branch, tag or commit.
    tag: which model of the repository; '' for the one that suits most.
    path: of a file or folder in it, where one was named.
    """

    repo: str
    revision: str = MAIN
    tag: str = ""
    path: str = ""

    @property
    def spelled(self) -> str:
        """One spelling for all; ``parse`` takes it."""
        revision = "" if self.revision == MAIN else f"@{self.revision}"
        tag = self.path or self.tag
        return f"{names.HUB}{self.repo}{revision}{f':{tag}' if tag else ''}"


def parse(name: str) -> HubName | None:
    """Returns the model that ``name`` means; None where it does not say that it is on the Hub. Raises ``ModelNotFound``
    for one that does and is no name of a model."""
    rest = names.on_hub(name)
    if rest is None:
        return None
    rest = rest.partition("?")[0].partition("#")[0].rstrip("/")
    first = rest.partition("/")[0].lower()
    if "/" in rest and first in _OTHERS:
        raise ModelNotFound(f"{names.quoted(name)} is no model of the Hub but one of its {first}; give hf.co/ORG/REPO")
    if page := _PAGE.fullmatch(rest):
        return HubName(page[1], unquote(page[3]), path=unquote(page[4] or ""))
    if file := _FILE.fullmatch(rest):
        return HubName(file[1], path=unquote(file[2]))
    match = _REFERENCE.fullmatch(rest)
    if match is None:
        raise ModelNotFound(
            f"{names.quoted(name)} is no name of a model on the Hub; give hf.co/ORG/REPO, with :Q4_K_M or another "
            "quantization behind it where it has several, and @REVISION before that"
        )
    return _referred(match)


def parse_plain(name: str) -> HubName | None:
    """Returns the model that ORG/REPO[@REVISION][:TAG] means; None for any other form."""
    name = name.strip()
    match = _REFERENCE.fullmatch(name) if _PLAIN.fullmatch(name) else None
    return _referred(match) if match else None


def _referred(match: re.Match[str]) -> HubName:
    tag = match[3] or ""
    if tag.lower() == "latest":
        tag = ""
    if tag.lower().endswith(".gguf") or "/" in tag:
        return HubName(match[1], match[2] or MAIN, path=tag)
    return HubName(match[1], match[2] or MAIN, tag)
