"""Transports: what lets clients in. The frontend starts and stops those that its settings name, and knows no more."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from msgspec import Struct

from mlxr.api.gateway import Blobs, Gateway
from mlxr.api.metrics import Metrics


class Transport(Protocol):
    """Lets clients in, and passes what they ask on to a gateway.

    addresses: the URLs under which it listens, once it has started.
    """

    addresses: list[str]

    async def start(self) -> None:
        """Begins to listen; raises ``StartError`` naming the setting when an address can't be had."""
        ...

    async def close_listeners(self) -> None:
        """Takes no new connections; those open go on."""
        ...

    async def stop(self) -> None:
        """Ends every connection."""
        ...


class TransportSpec(Struct, frozen=True):
    """A transport to be made.

    factory: ``module:function`` of a ``TransportFactory``.
    settings: JSON that the factory decodes.
    """

    factory: str
    settings: str


TransportFactory = Callable[[str, Gateway, Metrics, Blobs], Transport]
"""Makes a transport of its settings. Raises ``StartError`` for settings that would open the server by accident."""


def make_transport(spec: TransportSpec, gateway: Gateway, metrics: Metrics, blobs: Blobs) -> Transport:
    module, _, name = spec.factory.partition(":")
    factory: Any = getattr(import_module(module), name)
    return cast(TransportFactory, factory)(spec.settings, gateway, metrics, blobs)
