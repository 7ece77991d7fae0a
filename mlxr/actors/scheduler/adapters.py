"""Which adapters the executor has loaded, as far as the scheduler knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from mlxr.actors.scheduler.sequences import Request
from mlxr.runtime.messages.common import Adapter, ErrorCode, ErrorInfo
from mlxr.runtime.messages.executor import LoadAdapter, UnloadAdapter


class LoadedAdapters:
    """Owns the places for adapters, of which there are ``most``, and decides whose stays in one.

    An adapter goes only where its place is needed and nobody uses it: no running sequence, no row in flight, and no
    request that waits and whose turn comes before that of who needs the place.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._loading: set[str] = set()
        self._sound: set[str] = set()

    def ready(self, request: Request) -> bool:
        """Tells whether all adapters of the request are loaded."""
        return all(adapter.digest in self._loaded for adapter in request.submit.adapters)

    def sound(self, request: Request) -> bool:
        """Tells whether nothing is wrong with the adapters of the request, loaded or not."""
        return all(adapter.digest in self._sound for adapter in request.submit.adapters)

    def waits_for(self, request: Request) -> bool:
        """Tells whether an adapter of the request is being loaded."""
        return any(adapter.digest in self._loading for adapter in request.submit.adapters)

    def forget(self) -> None:
        """There is another executor, which has none."""
        self._loaded.clear()
        self._loading.clear()
        self._sound.clear()

    def wanted(self, epoch: int, queue: Iterable[Request], used: Collection[str]) -> list[LoadAdapter | UnloadAdapter]:
        """Returns what the executor is to load and to forget for requests that wait, in order of turns. ``used``:
        digests of what runs."""
        commands: list[LoadAdapter | UnloadAdapter] = []
        kept = set(used)
        for request in queue:
            adapters = {adapter.digest: adapter for adapter in request.submit.adapters}
            kept |= adapters.keys()
            for digest, adapter in adapters.items():
                if digest in self._loaded:
                    self._loaded.move_to_end(digest)
                elif digest not in self._loading:
                    if not self._make_place(epoch, kept, commands):
                        return commands
                    self._loading.add(digest)
                    commands.append(LoadAdapter(epoch, adapter))
        return commands

    def answered(self, digest: str, *, good: bool) -> None:
        self._loading.discard(digest)
        if good:
            self._loaded[digest] = None
            self._sound.add(digest)

    def refusal(self, adapters: list[Adapter]) -> ErrorInfo | None:
        """Returns why a request with these can never run."""
        count = len({adapter.digest for adapter in adapters})
        if count <= self._most:
            return None
        message = f"the request has {count} adapters, and scheduler.max_adapters allows {self._most} at once"
        return ErrorInfo(ErrorCode.INVALID, message, "adapters")

    def _make_place(self, epoch: int, kept: Collection[str], commands: list[LoadAdapter | UnloadAdapter]) -> bool:
        if len(self._loaded) + len(self._loading) < self._most:
            return True
        oldest = next((digest for digest in self._loaded if digest not in kept), None)
        if oldest is None:
            return False
        del self._loaded[oldest]
        commands.append(UnloadAdapter(epoch, oldest))
        return True


def not_loaded(request: Request, digest: str, reason: str) -> ErrorInfo:
    """Returns the error for a request whose adapter can't be loaded; ``reason``: the loader's sentence."""
    name = next((each.name for each in request.submit.adapters if each.digest == digest), digest)
    return ErrorInfo(ErrorCode.INVALID, f"the adapter {name!r} can't be applied: {reason}", "adapters")
