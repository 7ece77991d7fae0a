"""Where registries of Ollama's kind are, and how they may be spoken to."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from yarl import URL

from mlxr.actors.registry.ollama.name import DEFAULT_REGISTRY, OllamaName
from mlxr.runtime.errors import ConfigError, PullError


class RegistryAt(NamedTuple):
    """``url``: the registry of names without a host; '' for Ollama's own. ``insecure``: those of other names are spoken
    to without TLS."""

    url: str = ""
    insecure: bool = False


OLLAMAS_OWN = RegistryAt()


def registry_url(name: OllamaName, at: RegistryAt) -> URL:
    """Returns the address of the registry that ``name`` means. Raises ``PullError`` for one without TLS that was not
    allowed, ``ConfigError`` for a configured one that is no address."""
    if not name.host:
        try:
            base = URL(at.url or DEFAULT_REGISTRY)
        except ValueError:
            base = URL()
        if base.scheme not in ("http", "https") or not base.host:
            raise ConfigError(f"models.registry is {at.url!r}; give an address such as {DEFAULT_REGISTRY}")
        return base
    plain = name.plain_http or at.insecure
    base = URL(f"{'http' if plain else 'https'}://{name.host}")
    if plain and not at.insecure and not _is_local(base.host or ""):
        raise PullError(
            f"http://{name.host} is spoken to without TLS, where anybody on the way can read and change what comes; "
            '--insecure (or "insecure": true) allows that'
        )
    return base


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
