"""Which source a name means."""

from __future__ import annotations

from collections.abc import Callable

from mlxr.actors.registry.catalogue.aliases import BUILT_IN
from mlxr.actors.registry.sources.huggingface.source import HubSource
from mlxr.actors.registry.sources.local import LocalSource
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
    HubSource.recognise_plain,
)
"""Every kind. The first that knows a name has it: those that names say themselves (``pypi:``, ``hf.co/``, ``https://``),
then paths, and at last what may be meant by a name that says nothing."""

FORMS = (
    "hf.co/ORG/REPO:QUANTIZATION",
    "https://HOST/FILE.gguf",
    "pypi:PACKAGE==VERSION",
    "the path of a .gguf file or model folder",
)
"""How names of each kind are written."""


def find_source(name: str) -> Source:
    """What ``name`` asks for, an alias or in one of ``FORMS``; raises ``ModelNotFound``."""
    if names.in_tool_store(name):
        raise ModelNotFound(
            f"{names.quoted(name)} names what another tool has on this machine: `mlxr import {name}` adds it to the "
            "catalogue where it is, and `mlxr up` takes that name as it is"
        )
    for recognise in SOURCES:
        if source := recognise(name):
            return source
    known = ", ".join(alias.name for alias in BUILT_IN)
    raise ModelNotFound(f"don't know where to pull {names.quoted(name)} from; give {known}, {', '.join(FORMS)}")
