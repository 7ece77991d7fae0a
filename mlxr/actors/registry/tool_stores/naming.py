"""What models of repositories are called, in their tool's store and in the catalogue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mlxr.actors.registry.tool_stores.model_folders import FileModel
from mlxr.actors.registry.tool_stores.tool_model import ToolModel
from mlxr.models import names
from mlxr.models.formats.gguf.split import model_name

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_PROJECTOR = "a projector, which reads images or sound"


def repository_models(
    tool: str, repository: str, found: Sequence[FileModel], read_digest: Callable[[Path], str], version: str = ""
) -> list[ToolModel]:
    """Returns the models of ``ORG/NAME``: ``ORG/NAME[@VERSION][:LABEL]``, the label being a quantization as a rule, and
    a file's name where several have one."""
    labels = Counter(each.label for each in found)
    models: list[ToolModel] = []
    for each in found:
        label = each.label if labels[each.label] == 1 else _longer_label(each)
        models.append(
            ToolModel(
                tool,
                repository + (f"@{version}" if version else "") + (f":{label}" if label else ""),
                each.path,
                partial(read_digest, each.path),
                catalogue_name(repository, "-".join(filter(None, (version, label)))),
                source="" if version or label != each.label else f"hf.co/{repository}" + (f":{label}" if label else ""),
                unused=(_PROJECTOR,) if each.projector else (),
            )
        )
    return models


def _longer_label(found: FileModel) -> str:
    """Of several with one label: a folder's name, or a file's and its folder's."""
    return f"{found.path.parent.name}-{model_name(found.path)}" if found.label else found.path.name


def catalogue_name(name: str, tag: str = "") -> str:
    """Returns ``NAME:TAG`` in the letters that names in the catalogue may have; raises nothing."""
    parts = [_plain(part) for part in name.split("/")]
    spelled = "/".join(filter(None, parts)) + (f":{_plain(tag)}" if _plain(tag) else "")
    # A name with this ending would be a path.
    return names.tidy(re.sub(r"\.gguf$", "", spelled, flags=re.IGNORECASE))


def _plain(part: str) -> str:
    return _ODD.sub("-", part).strip("-.")[:128]
