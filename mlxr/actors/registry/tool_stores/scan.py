"""Every tool's store together, and what a name means there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mlxr.actors.registry.ollama.name import parse_name
from mlxr.actors.registry.tool_stores import hugging_face, llama_cpp, lm_studio, ollama
from mlxr.actors.registry.tool_stores.places import Place
from mlxr.actors.registry.tool_stores.tool_model import LABELS, Scan, ToolModel
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

SCANS: dict[str, Callable[[Path], Scan]] = {
    ollama.TOOL: ollama.scan,
    lm_studio.TOOL: lm_studio.scan,
    hugging_face.TOOL: hugging_face.scan,
    llama_cpp.TOOL: llama_cpp.scan,
}


def scan_stores(places: Sequence[Place], tool: str = "") -> Scan:
    """Looks through the stores of ``tool``, or of all; of two models with one name the first has it."""
    whole = Scan()
    known: set[tuple[str, str]] = set()
    for place in places:
        if tool in ("", place.tool):
            if place.asked and not os.path.isdir(place.folder):
                whole.problems.append(f"{LABELS[place.tool]}: its settings name {place.folder}, where no folder is")
            found = SCANS[place.tool](place.folder)
            whole.problems += found.problems
            for model in found.models:
                key = (model.tool, _key(model.tool, model.name))
                if key not in known:
                    known.add(key)
                    whole.models.append(model)
    return whole


def find_in_stores(places: Sequence[Place], tool: str, name: str) -> ToolModel:
    """Returns the model that ``TOOL:NAME`` names; raises ``ModelNotFound``, which says what is there instead, also
    where several could be meant."""
    whole = scan_stores(places, tool)
    key = _key(tool, name)
    exact = [model for model in whole.models if _key(tool, model.name) == key]
    found = exact or [model for model in whole.models if model.name.casefold().startswith(f"{key}:")]
    if len(found) == 1:
        return found[0]
    spelled = names.quoted(f"{tool}:{name}")
    if found:
        listed = ", ".join(model.full_name for model in found[:8])
        raise ModelNotFound(f"{spelled} may be any of {listed}; name one of them")
    why = f" ({whole.problems[0]})" if whole.problems else ""
    raise ModelNotFound(
        f"{LABELS[tool]} has no model {names.quoted(name)} on this machine{why}; `mlxr ls --all` shows what there is"
    )


def _key(tool: str, name: str) -> str:
    parsed = parse_name(name) if tool == ollama.TOOL else None
    return (parsed.shortest if parsed else name).casefold()
