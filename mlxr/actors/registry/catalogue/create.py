"""Makes a model from another one or from uploaded files, with a template, system prompt and options of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct, structs

from mlxr.actors.registry.catalogue.entry import AppliedAdapter, Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.staged_files import StagedFiles
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.conversion.convert import SERVER_NICENESS, made_blob
from mlxr.actors.registry.conversion.job import Wanted
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.modelfile.parameters import checked
from mlxr.actors.registry.progress import Progress, Report
from mlxr.models import names
from mlxr.models.chat.renderers import require_parser, require_renderer
from mlxr.models.quantization.file_types import file_type
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.model_info import MAX_TEXT
from mlxr.runtime.paths import Home

PLAIN = ("F32", "F16", "BF16")
"""What models are in before they are quantized."""


class CreateSpec(Struct, frozen=True, rename={"from_": "from"}):
    """Ollama's create request, less the name.

    files, adapters: digest by file name.
    renderer, parser: as in ``Overrides``.
    """

    from_: str = ""
    files: dict[str, str] = {}
    adapters: dict[str, str] = {}
    template: str = ""
    system: str = ""
    parameters: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    license: str | list[str] = ""
    quantize: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""


RequireAllowed = Callable[[str], Awaitable[None]]
"""Raises ``ModelNotFound`` for a name that the client may not use."""


async def allow_all(name: str) -> None:
    """For callers who may name everything."""


class Creator:
    """Makes models and catalogues them.

    obtain: finds the model to start from, pulling it if need be.
    reader: reads what uploaded files say.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        obtain: Callable[[str, Report], Awaitable[CatalogueEntry]],
        reader: MetadataReader,
    ) -> None:
        self._home = home
        self._store = store
        self._obtain = obtain
        self._reader = reader

    async def create(
        self, name: str, spec: bytes, report: Report, require_allowed: RequireAllowed = allow_all
    ) -> CatalogueEntry:
        """Makes the model from what ``require_allowed`` lets pass. Where that fails, nothing of it stays.

        Raises ``ModelNotFound``, ``ModelFileError``, ``ValueError`` (bad name, bad request) and ``RequestError`` (what
        mlxr does not do, texts too long, a template that fails).
        """
        self._store.require_writable()
        async with StagedFiles.begun(self._home, self._reader) as staged:
            return await self._create(name, spec, report, require_allowed, staged)

    async def _create(
        self, name: str, spec: bytes, report: Report, require_allowed: RequireAllowed, staged: StagedFiles
    ) -> CatalogueEntry:
        name, wanted = names.checked(name), msgspec.json.decode(spec, type=CreateSpec)
        _require_type(wanted)
        _require_known(wanted)
        _require_short(_overrides(Overrides(), wanted))
        if draft := wanted.parameters.get("draft_model"):
            await require_allowed(checked("draft_model", draft))
        # Before files are copied that nobody would need.
        await self._store.require_room(name)
        if wanted.template:
            await self._reader.with_template(wanted.template, False)
        uploads = _adapter_files(wanted.adapters)
        if wanted.from_ and wanted.files:
            raise ValueError("`from` and `files` exclude each other: a model has one beginning")
        if wanted.from_:
            await require_allowed(wanted.from_)
            base = await self._obtain(wanted.from_, report)
            outside = not base.blob.tool and not base.blob.path.is_relative_to(self._home.models)
            if outside and not wanted.quantize:
                base = await staged.copied(base)
        elif wanted.files:
            report(Progress("parsing GGUF" if len(wanted.files) == 1 else "converting model"))
            base = CatalogueEntry(name, await staged.of_uploads(wanted.files), 0.0)
        else:
            raise ValueError("give `from`, the model to start from, or `files`, uploaded ones")
        adapters = []
        for each in uploads:
            adapters.append(await self._fitting(await staged.of_uploads(each, "adapters"), each, base, staged))
        applied = [_applied(self._home, blob, each) for blob, each in zip(adapters, uploads, strict=True)]
        overrides = _require_short(_overrides(base.overrides, wanted))
        overrides = structs.replace(overrides, adapters=[*overrides.adapters, *applied])
        if wanted.template:
            known = base.blob.info.capabilities
            able = await self._reader.with_template(wanted.template, "insert" in known)
            if "embedding" not in known:
                overrides = structs.replace(overrides, capabilities=able)
        if wanted.quantize:
            return await self._quantized(name, wanted, base, overrides, adapters, staged, report)
        report(Progress("writing manifest"))
        blob = base.blob
        return await self._store.add(
            name,
            blob,
            source=base.source,
            overrides=overrides,
            place=lambda: staged.place([blob, *adapters]),
            adapters=adapters,
            withdraw=True,
        )

    async def _quantized(
        self,
        name: str,
        wanted: CreateSpec,
        base: CatalogueEntry,
        overrides: Overrides,
        adapters: list[Blob],
        staged: StagedFiles,
        report: Report,
    ) -> CatalogueEntry:
        """The model with the files of ``base`` in fewer bits. Raises ``RequestError`` where they are so already."""
        now = base.blob.info.quantization
        if now not in PLAIN:
            raise _unfit(f"{base.name} is quantized already, as {now}; `quantize` takes models in {', '.join(PLAIN)}")
        to, source = Wanted(type=wanted.quantize), staged.now(base.blob)
        async with made_blob(self._home, self._reader, source, to, name, report, nice=SERVER_NICENESS) as made:
            report(Progress("writing manifest"))

            def place() -> None:
                made.place()
                staged.place(adapters)

            return await self._store.add(
                name, made.blob, overrides=overrides, place=place, adapters=adapters, withdraw=True
            )

    async def _fitting(self, made: Blob, wanted: dict[str, str], base: CatalogueEntry, staged: StagedFiles) -> Blob:
        """``made``, an adapter of uploaded files. Raises ``RequestError`` where it does not fit ``base``."""
        name = names.quoted(next(iter(wanted)))
        if not made.info.is_adapter:
            message = f"`adapters` has {name}, which is no adapter; give models as `from` or `files`"
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, param="adapters"))
        if fault := await self._reader.adapter_fault(staged.now(made), staged.now(base.blob)):
            message = f"the adapter {name} can't be applied to {base.name}: it {fault}"
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, param="adapters"))
        return made


def _require_type(wanted: CreateSpec) -> None:
    try:
        file_type(wanted.quantize or PLAIN[0])
    except ValueError as error:
        raise _unfit(str(error)) from None


def _require_known(wanted: CreateSpec) -> None:
    """Raises ``RequestError`` for a renderer or parser that Ollama has not."""
    for field, require in (("renderer", require_renderer), ("parser", require_parser)):
        if name := getattr(wanted, field):
            try:
                require(name)
            except ValueError as error:
                raise RequestError(ErrorInfo(ErrorCode.INVALID, str(error), param=field)) from None


def _unfit(message: str) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.INVALID, message, param="quantize"))


def _require_short(overrides: Overrides) -> Overrides:
    """``overrides``; raises ``RequestError`` naming the field that is longer than any file's text may be."""
    sizes = {
        "template": len(overrides.template.encode()),
        "system": len(overrides.system.encode()),
        "license": len(overrides.license.encode()),
        "messages": len(msgspec.json.encode(overrides.messages)),
        "parameters": len(msgspec.json.encode(overrides.options)),
    }
    for field, size in sizes.items():
        if size > MAX_TEXT:
            message = f"`{field}` has {size} bytes; a model's may have {MAX_TEXT}"
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, param=field))
    return overrides


def _overrides(old: Overrides, wanted: CreateSpec) -> Overrides:
    """What the new model lays over its files: the base's own (``old``), replaced by what the request names."""
    license = wanted.license if isinstance(wanted.license, str) else "\n".join(wanted.license)
    return Overrides(
        template=wanted.template or old.template,
        system=wanted.system or old.system,
        options={**old.options, **wanted.parameters},
        messages=wanted.messages or old.messages,
        license=license or old.license,
        parent=wanted.from_,
        capabilities=old.capabilities,
        adapters=old.adapters,
        # Who gives a template wants that, and not the base's renderer.
        renderer=wanted.renderer or ("" if wanted.template else old.renderer),
        parser=wanted.parser or old.parser,
        requires=wanted.requires or old.requires,
    )


def _adapter_files(given: dict[str, str]) -> list[dict[str, str]]:
    """The files of each adapter: a GGUF file is one by itself, all others are one folder."""
    single = [{name: digest} for name, digest in given.items() if name.lower().endswith(".gguf")]
    folder = {name: digest for name, digest in given.items() if not name.lower().endswith(".gguf")}
    return [*single, folder] if folder else single


def _applied(home: Home, made: Blob, wanted: dict[str, str]) -> AppliedAdapter:
    return AppliedAdapter(made.digest, made.path.relative_to(home.models).as_posix(), next(iter(wanted)))
