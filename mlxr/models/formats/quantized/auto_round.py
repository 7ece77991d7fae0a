"""AutoRound folders (Intel): codes packed as GPTQ's or AWQ's are, with settings by names of their own.

``packing_format`` tells whose packing it is (``auto_round/inference/backend.py``), ``extra_config`` which modules have
other bits or groups than the rest; those of 16 bits are plain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlxr.models.formats.quantized import awq, gptq
from mlxr.models.formats.quantized.parts import Parts

METHODS = ("auto-round", "auto_round")
USUAL = "auto_round:auto_gptq"
AWQ = "auto_round:auto_awq"
GPTQ = {USUAL: "gptq", "auto_round:gptqmodel": "gptq_v2", "auto_round": "gptq_v2"}
"""GPTQ's ``checkpoint_format`` by ``packing_format``."""

OWN = ("bits", "group_size")


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices and their scales together."""
    packing, kind = settings.get("packing_format", USUAL), settings.get("data_type", "int")
    if packing not in (*GPTQ, AWQ) or kind != "int":
        what = f"packing_format {str(packing)[:40]!r} of {str(kind)[:20]!r}"
        reason = f"has AutoRound's {what}; mlxr reads {', '.join((*GPTQ, AWQ))} of 'int'"
        raise parts.unsupported(f"{reason}, so take the model in one of these, or as GGUF")
    if packing == AWQ:
        awq.join(parts, {**settings, "version": "gemm"})
    else:
        gptq.join(parts, {**settings, "checkpoint_format": GPTQ[packing], "dynamic": _rules(parts, settings)})


def _rules(parts: Parts, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the modules with bits or groups of their own as GPTQ's ``dynamic`` has them, those named whole first: a
    name with what no name has is an expression."""
    extra = settings.get("extra_config") or {}
    if not isinstance(extra, Mapping):
        raise parts.error("has an extra_config of AutoRound's that is no object")
    own = {
        name: {key: given[key] for key in OWN if key in given}
        for name, given in extra.items()
        if isinstance(given, dict)
    }
    whole = {f"{re.escape(name)}$": given for name, given in own.items() if re.fullmatch(r"[\w.\-]+", name)}
    return whole | {name: given for name, given in own.items() if not re.fullmatch(r"[\w.\-]+", name)}
