"""Which models may draft for one that is to be loaded: the one that is named, or those that are loaded already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.models.identity import identity
from mlxr.runtime.engine_spec import DraftFiles, EngineSpec
from mlxr.runtime.errors import MlxrError, ModelNotFound

AUTO = "auto"
NONE = ("", "none")

SMALLER = 3
"""So many times as large as its draft model a model must be at least, where nobody names one."""


class DraftModels:
    """``configured``: the name of the model that drafts, ``auto`` or nothing; None where there is no speculation.
    ``find``: returns the model of a name. ``running``: the engines that there are."""

    def __init__(
        self,
        configured: str | None,
        find: Callable[[str], Awaitable[CatalogueEntry]],
        running: Callable[[], Iterable[Engine]],
    ) -> None:
        self._configured = configured
        self._find = find
        self._running = running

    async def of(self, spec: EngineSpec, size: int) -> list[DraftFiles]:
        """Returns who may draft for the model of ``spec``, whose files have ``size`` bytes; the executor takes the
        first that has its vocabulary and fits. The one that all models are to have drafts for none that can't have it,
        nor for itself; where it is not to be had, why is said in its place. Raises ``ModelNotFound`` for a name of the
        model's own that is none."""
        name = self._configured if spec.draft_model is None else spec.draft_model
        if self._configured is None or name is None or name in NONE or "completion" not in spec.info.capabilities:
            return []
        if name == AUTO:
            return await to_thread.run_sync(self._loaded, spec, size)
        required = spec.draft_model is not None
        try:
            entry = await self._find(name)
        except MlxrError as error:
            if not required:
                reason = f"speculation.draft_model can't be had: {error}"
                return [DraftFiles(name, "", required=False, missing=reason)]
            if isinstance(error, ModelNotFound):
                raise ModelNotFound(f"the draft model of {spec.model}: {error}") from None
            raise
        path = entry.blob.path
        if str(path) == spec.path and not required:
            return []
        return [DraftFiles(entry.name, str(path), await to_thread.run_sync(identity, path), required=required)]

    def _loaded(self, spec: EngineSpec, size: int) -> list[DraftFiles]:
        """Returns loaded models that are small beside one of ``size`` bytes, the smallest first."""
        found: dict[str, tuple[int, DraftFiles]] = {}
        for engine in self._running():
            other = engine.spec
            if not engine.ready or other.path == spec.path or "completion" not in other.info.capabilities:
                continue
            nbytes = _nbytes(Path(other.path))
            if nbytes and nbytes * SMALLER <= size:
                found[other.path] = (
                    nbytes,
                    DraftFiles(other.model, other.path, other.identity, named=False, required=False),
                )
        return [files for _, files in sorted(found.values(), key=lambda each: each[0])]


def _nbytes(path: Path) -> int:
    """Returns how large a model's files are, 0 where they are gone."""
    try:
        files = [path] if path.is_file() else [each for each in path.iterdir() if each.is_file()]
        return sum(each.stat().st_size for each in files)
    except OSError:
        return 0
