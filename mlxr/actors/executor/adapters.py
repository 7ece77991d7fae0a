"""The adapters that an executor has loaded, and the thread that loads them while the device's thread runs steps."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlxr.actors.executor.compiler import yield_to_others
from mlxr.metal.adapters import AdapterStack, AdapterUse
from mlxr.metal.backend import Backend
from mlxr.models.adapters.loading import LoadedAdapter, load_adapter
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.models.loading import LoadedModel
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.messages.common import Adapter

log = logging.getLogger("mlxr.executor")

PAUSE_SECONDS = 0.001
"""Between two matrices: whoever waits for the interpreter's lock gets it."""


class AdapterTable:
    """Loaded adapters by digest. For any thread."""

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedAdapter] = {}

    def put(self, digest: str, adapter: LoadedAdapter) -> None:
        self._loaded[digest] = adapter

    def forget(self, digest: str) -> None:
        """What sequences use of it lives on with them."""
        self._loaded.pop(digest, None)

    @property
    def nbytes(self) -> int:
        """What those take that are loaded."""
        return sum(adapter.nbytes for adapter in list(self._loaded.values()))

    def stack(self, adapters: list[Adapter]) -> AdapterStack:
        """Returns what a sequence with these adapters is computed with. Raises ``KeyError`` where one is not loaded."""
        return tuple(AdapterUse(self._loaded[adapter.digest].handle, adapter.scale) for adapter in adapters)


class AdapterLoader:
    """Loads adapters one after another on a thread of its own, a matrix at a time.

    ``answer``: told the digest of each, once it is in ``table``, or else why it can't be; on that thread.
    """

    def __init__(
        self, model: LoadedModel, backend: Backend, table: AdapterTable, answer: Callable[[str, str | None], None]
    ) -> None:
        self._model = model
        self._backend = backend
        self._table = table
        self._answer = answer
        self._queue: queue.SimpleQueue[Adapter | None] = queue.SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self._run, name="adapters", daemon=True).start()

    def stop(self) -> None:
        self._queue.put(None)

    def load(self, adapter: Adapter) -> None:
        self._queue.put(adapter)

    def _run(self) -> None:
        yield_to_others()
        while (adapter := self._queue.get()) is not None:
            self._answer(adapter.digest, self._error(adapter))

    def _error(self, adapter: Adapter) -> str | None:
        """Loads the adapter; returns why it can't be."""
        try:
            began = time.monotonic()
            base = self._model.adapter_base
            if base is None:
                raise UnsupportedModelError(
                    self._model.path, "is an embedding model, to which mlxr applies no adapters"
                )
            loaded = load_adapter(Path(adapter.path), base, self._backend, lambda: time.sleep(PAUSE_SECONDS))
            self._table.put(adapter.digest, loaded)
        except UnusableModelError as error:
            return f"it {error.reason}"  # clients are not told of paths here
        except (MlxrError, ValueError) as error:
            return str(error)
        except OSError as error:
            return f"it can't be read: {error.strerror or type(error).__name__}"
        except Exception as error:
            log.exception("the adapter %s can't be loaded", adapter.path)
            return f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - began
        log.info("loaded the adapter %s in %.2f s, %.1f MB", adapter.name, seconds, loaded.nbytes / 1e6)
        return None
