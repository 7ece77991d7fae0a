"""Brings models of other tools' stores into the catalogue, where their files stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue.entry import AppliedAdapter, Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import ModelStat, NoModelAtPath, stat_model
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.catalogue.usable_overrides import laid_over
from mlxr.actors.registry.metadata.reader import MetadataReader, require_usable
from mlxr.actors.registry.progress import Progress, Report, ignore
from mlxr.actors.registry.tool_stores.places import Place, places
from mlxr.actors.registry.tool_stores.results import FoundListing, Imported, ImportResult, NotImported, StoresListing
from mlxr.actors.registry.tool_stores.scan import find_in_stores, scan_stores
from mlxr.actors.registry.tool_stores.tool_model import ToolModel
from mlxr.models import names
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import MlxrError, ModelError, ModelNotFound
from mlxr.runtime.messages.common import Adapter
from mlxr.runtime.model_info import ModelInfo

Allowed = Callable[[Path], bool] | None
"""Whether who asks may know of a path; None for all. Asks the system: for a worker thread."""

NOT_SHARED = "clients on other machines may import what lies in the folders of models.paths only"


class ToolStores:
    """Finds models in other tools' stores, and catalogues them.

    store: the catalogue.
    reader: reads files that are not known yet.
    find_places: returns where to look.
    """

    def __init__(
        self, store: Store, reader: MetadataReader, find_places: Callable[[], Sequence[Place]] = places
    ) -> None:
        self._store = store
        self._reader = reader
        self._places = find_places

    async def find(self, tool: str, name: str) -> ToolModel:
        """Returns the model that ``TOOL:NAME`` means; raises ``ModelNotFound``."""
        return await to_thread.run_sync(lambda: find_in_stores(self._places(), tool, name))

    async def entry(self, model: ToolModel, report: Report = ignore) -> CatalogueEntry:
        """Returns what the catalogue would hold of it. Raises ``ModelNotFound``, and ``UnusableModelError`` for one
        that can't be used here."""
        if model.problem:
            raise UnsupportedModelError(Path(model.full_name), model.problem)
        try:
            blob, modified = await self._blob(model.tool, model.path, model.read_digest)
            overrides = await laid_over(await to_thread.run_sync(model.overrides), blob.info, self._reader, report)
            applied = [AppliedAdapter(digest, str(path), f"{digest[:12]}.gguf") for digest, path in model.adapters]
        except UnusableModelError as error:
            raise UnsupportedModelError(Path(model.full_name), error.reason) from None
        except NoModelAtPath as error:
            raise UnsupportedModelError(Path(model.full_name), f"can't be read: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise UnsupportedModelError(Path(model.full_name), str(error)) from None
        require_usable(Path(model.full_name), blob.info)
        return CatalogueEntry(
            model.full_name,
            blob,
            modified,
            model.source,
            overrides=structs.replace(overrides, adapters=applied),
            adapters=[Adapter(each.name, digest=each.digest, path=each.path) for each in applied],
        )

    async def import_models(
        self, found_names: Sequence[str], tool: str, report: Report, name: str = "", allowed: Allowed = None
    ) -> ImportResult:
        """Catalogues the models of these names, or all of ``tool``, as far as they are ``allowed``. ``name``: what to
        call it, where it is one. Raises ``ValueError`` for a bad name, ``ModelError`` where the catalogue can't be
        changed."""
        self._store.require_writable()
        if name and len(found_names) != 1:
            raise ValueError("a name of its own can be given to one model; name that one")
        result = ImportResult()
        for model in await self._asked(found_names, tool, result, allowed):
            if allowed is not None and not await to_thread.run_sync(allowed, model.path):
                if found_names:
                    result.refused.append(NotImported(model.full_name, NOT_SHARED))
                continue
            report(Progress(f"importing {model.full_name}"))
            try:
                result.imported.append(await self._import(model, name, report))
            except (MlxrError, ValueError, OSError) as error:
                result.refused.append(NotImported(model.full_name, str(error)))
        return result

    async def listing(self, tool: str = "", allowed: Allowed = None) -> StoresListing:
        """Returns what is in the stores of ``tool``, or of all, as far as it is ``allowed``; paths are told where
        everything is."""
        whole = await to_thread.run_sync(lambda: scan_stores(self._places(), tool))
        imported = {alias: entry.name for entry in await self._store.models() for alias in entry.aliases}
        models = [
            await self._listed(model, imported.get(model.full_name, ""), show_path=allowed is None)
            for model in whole.models
            if allowed is None or await to_thread.run_sync(allowed, model.path)
        ]
        return StoresListing(models, whole.problems if allowed is None else [])

    async def _asked(
        self, found_names: Sequence[str], tool: str, result: ImportResult, allowed: Allowed
    ) -> list[ToolModel]:
        if not found_names:
            whole = await to_thread.run_sync(lambda: scan_stores(self._places(), tool))
            result.problems.extend(whole.problems)
            if not whole.models and allowed is None:
                folders = [str(place.folder) for place in self._places() if tool in ("", place.tool)]
                result.looked_in.extend(dict.fromkeys(folders))
            return whole.models
        models: list[ToolModel] = []
        for spelled in found_names:
            named = names.in_tool_store(spelled)
            inside, name = named if named and tool in ("", named[0]) else (tool, spelled)
            try:
                if not inside:
                    kinds = ", ".join(names.TOOLS)
                    raise ModelNotFound(
                        f"{names.quoted(spelled)} does not say whose it is; put one of {kinds} before a :"
                    )
                models.append(await self.find(inside, name))
            except ModelNotFound as error:
                result.refused.append(NotImported(spelled, str(error)))
        return models

    async def _import(self, model: ToolModel, name: str, report: Report) -> Imported:
        entry = await self.entry(model, report)
        name = names.checked(name or model.catalogue_name)
        there = await self._store.find(name)
        if there is not None and there.blob.digest != entry.blob.digest and there.blob.tool != model.tool:
            raise ModelError(
                f"{names.quoted(name)} is another model in the catalogue; `mlxr import {model.full_name} --name NAME` "
                "gives this one another name"
            )
        adapters = [(await self._blob(model.tool, path, partial(str, digest)))[0] for digest, path in model.adapters]
        await self._store.add(
            name,
            entry.blob,
            source=entry.source,
            aliases=[model.full_name],
            overrides=entry.overrides,
            adapters=adapters,
        )
        return Imported(model.full_name, name, entry.blob.size, list(model.unused))

    async def _blob(self, tool: str, path: Path, read_digest: Callable[[], str]) -> tuple[Blob, float]:
        seen = await to_thread.run_sync(stat_model, path)
        digest, info = await self._known(path, seen, read_digest)
        return Blob(digest, path, seen.size, info, tool, seen.fingerprint), seen.modified

    async def _known(self, path: Path, seen: ModelStat, read_digest: Callable[[], str] | None) -> tuple[str, ModelInfo]:
        """What is known of the files, read now if need be; the digest is '' where it is not asked for."""
        known = await self._store.known_file(path, seen.fingerprint)
        digest, info = known or ("", await self._reader.info(path))
        if read_digest is not None and not digest:
            digest = await to_thread.run_sync(read_digest)
        if (digest, info) != known:
            with suppress(ModelError):  # on a full disk it is read again next time
                await self._store.remember_file(path, seen.fingerprint, digest, info)
        return digest, info

    async def _listed(self, model: ToolModel, imported: str, show_path: bool) -> FoundListing:
        seen, info, reason = ModelStat("", 0, 0.0), None, model.problem
        if not reason:
            try:
                seen = await to_thread.run_sync(stat_model, model.path)
                _, info = await self._known(model.path, seen, None)
                reason = info.unusable
            except UnusableModelError as error:
                reason = error.reason
            except NoModelAtPath as error:
                reason = f"can't be read: {error.reason}"
            except (MlxrError, OSError, ValueError) as error:
                reason = str(error)
        path = str(model.path) if show_path else ""
        listed = FoundListing(model.full_name, model.tool, path, seen.size, seen.modified, not reason, reason, imported)
        if info is None:
            return listed
        return structs.replace(
            listed,
            architecture=info.architecture,
            parameters=info.parameters,
            quantization=info.quantization,
            context_length=info.context_length,
            capabilities=info.capabilities,
            unused=list(model.unused),
        )
