"""What strangers laid over a model's files, as far as it can be used here."""

from __future__ import annotations

from msgspec import structs

from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.models.chat import ChatError


async def laid_over(overrides: Overrides | None, reader: MetadataReader, report: Report) -> Overrides:
    """Returns ``overrides`` with what their template can do. One that can't be used is left out, which is reported:
    the model's own stands then."""
    if overrides is None or not overrides.template:
        return overrides or Overrides()
    try:
        able = await reader.with_template(overrides.template, False)
    except ChatError as error:
        report(Progress(f"leaving out the chat template: {error}"))
        return structs.replace(overrides, template="")
    return structs.replace(overrides, capabilities=able)
