"""What ``/api/show`` says of a model, for people."""

from __future__ import annotations

from typing import Any


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
