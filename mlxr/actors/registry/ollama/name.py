"""Names in Ollama's registries: ``[http://][HOST/][NAMESPACE/]MODEL[:TAG]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_REGISTRY = f"https://{DEFAULT_HOST}"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_NAME = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?:(?P<host>[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?)/(?=[^/]+/))?"
    r"(?:(?P<namespace>[A-Za-z0-9_][A-Za-z0-9_-]{0,79})/)?"
    r"(?P<model>[A-Za-z0-9_][A-Za-z0-9._-]{0,79})"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,79}))?"
)
"""Ollama's own limits: a namespace has no dots."""


@dataclass(frozen=True, slots=True)
class OllamaName:
    """A model's full name.

    host: with its port, '' for the registry that is configured.
    namespace, model, tag: as they were written.
    plain_http: whether the name says ``http://``.
    """

    host: str
    namespace: str
    model: str
    tag: str
    plain_http: bool = False

    @property
    def repository(self) -> str:
        """The model's place at its registry."""
        return f"{self.namespace}/{self.model}"

    @property
    def shortest(self) -> str:
        """As people type it: what goes without saying is left out, but the tag."""
        host = f"{self.host}/" if self.host else ""
        namespace = f"{self.namespace}/" if host or self.namespace.casefold() != DEFAULT_NAMESPACE else ""
        return f"{host}{namespace}{self.model}:{self.tag}"


def parse_name(text: str) -> OllamaName | None:
    """Returns the name that ``text`` spells, None where it spells none. The host of Ollama's own registry is as good
    as no host."""
    match = _NAME.fullmatch(text.strip())
    if match is None or (match["scheme"] and not match["host"]):
        return None
    host = match["host"] or ""
    return OllamaName(
        "" if host.casefold() == DEFAULT_HOST else host,
        match["namespace"] or DEFAULT_NAMESPACE,
        match["model"],
        match["tag"] or DEFAULT_TAG,
        match["scheme"] == "http",
    )
