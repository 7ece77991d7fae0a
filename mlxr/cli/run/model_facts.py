"""What ``/api/show`` says of a model, for people."""

from __future__ import annotations

from typing import Any

from mlxr.cli.printing import remark
from mlxr.cli.run.settings import ChatSettings


def model_facts(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns names and values, those that are known."""
    details, info = shown.get("details", {}), shown.get("model_info", {})

    def of(suffix: str) -> str:
        return next((str(value) for key, value in info.items() if key.endswith(suffix) and value), "")

    facts = [
        ("architecture", details.get("family", "")),
        ("parameters", details.get("parameter_size", "")),
        ("context length", of(".context_length")),
        ("embedding length", of(".embedding_length")),
        ("quantization", details.get("quantization_level", "")),
        ("capabilities", ", ".join(shown.get("capabilities", []))),
        ("license", shown.get("license", "").partition("\n")[0]),
        ("system", shown.get("system", "")),
        ("options", in_one_line(shown.get("parameters", ""))),
    ]
    return [(name, value) for name, value in facts if value]


def in_one_line(parameters: str) -> str:
    """Returns a Modelfile's parameters, a line each and padded, as one line: ``temperature 0.3; top_k 40``."""
    named = (line.split(maxsplit=1) for line in parameters.splitlines())
    return "; ".join(" ".join(part.strip() for part in parts) for parts in named if parts)


def warn_of_context(settings: ChatSettings, shown: dict[str, Any], model: str) -> None:
    """Says so where ``num_ctx`` is more than the model was made for: its own context counts then."""
    lengths = [value for key, value in shown.get("model_info", {}).items() if key.endswith(".context_length")]
    wanted, own = settings.options.get("num_ctx") or 0, lengths[0] if lengths else 0
    if own and wanted > own:
        remark(f"{model} has a context of {own} tokens, and num_ctx {wanted} makes it no longer")
