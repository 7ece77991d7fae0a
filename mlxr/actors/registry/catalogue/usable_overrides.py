"""What strangers laid over a model's files, as far as it can be used here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.modelfile.parameters import DEPRECATED, checked
from mlxr.actors.registry.progress import Progress, Report
from mlxr.models.chat import ChatError
from mlxr.models.chat.renderers import PARSERS, RENDERERS
from mlxr.runtime.model_info import ModelInfo

_ROLES = ("system", "user", "assistant")
_TEXTLESS = ("embedding", "rerank")


async def laid_over(overrides: Overrides | None, info: ModelInfo, reader: MetadataReader, report: Report) -> Overrides:
    """Returns ``overrides`` of a model whose files say ``info``, with what their template can do. What can't be used is
    left out, which is reported: what the files say, or what goes without saying, stands then."""
    if overrides is None:
        return Overrides()

    def leave_out(what: str) -> None:
        report(Progress(f"leaving out {what}"))

    usable = structs.replace(
        overrides,
        options=_options(overrides.options, leave_out),
        messages=[turn for turn in overrides.messages if _is_turn(turn, leave_out)],
        renderer=_known(overrides.renderer, RENDERERS, "renderer", leave_out),
        parser=_known(overrides.parser, PARSERS, "parser", leave_out),
    )
    if not usable.template or any(each in info.capabilities for each in _TEXTLESS):
        return usable
    try:
        able = await reader.with_template(usable.template, "insert" in info.capabilities)
    except ChatError as error:
        leave_out(f"the chat template: {error}")
        return structs.replace(usable, template="")
    return structs.replace(usable, capabilities=able)


def _options(options: dict[str, Any], leave_out: Callable[[str], None]) -> dict[str, Any]:
    usable: dict[str, Any] = {}
    for name, value in options.items():
        if value is None:
            continue
        try:
            if name in DEPRECATED:
                raise ValueError("which is no parameter any more")
            if name == "draft_model":
                raise ValueError("which models are loaded is for whoever runs them to say")
            usable[name] = checked(name, value)
        except ValueError as error:
            leave_out(f"the parameter {name[:40]!r}: {error}")
    return usable


def _is_turn(turn: dict[str, Any], leave_out: Callable[[str], None]) -> bool:
    if turn.get("role") in _ROLES and isinstance(turn.get("content", ""), str):
        return True
    role = turn.get("role")
    if isinstance(role, str) and role and role not in _ROLES:
        leave_out(f"an opening message of the role {role[:40]!r}; those of {', '.join(_ROLES)} are used")
    else:
        leave_out("an opening message that has no role or no text")
    return False


def _known(name: str, known: Any, what: str, leave_out: Callable[[str], None]) -> str:
    if name and name not in known:
        leave_out(f"the {what} {name[:40]!r}, which is not known here")
        return ""
    return name
