"""Models with adapters as transports list them."""

from __future__ import annotations

from mlxr.api.adapted_models import served
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.model_info import ADAPTER, ModelInfo


def entry(name: str, fits: tuple[str, ...] = ()) -> ModelEntry:
    info = ModelInfo(format="gguf", architecture="llama", capabilities=[ADAPTER if fits else "completion"])
    return ModelEntry(name=name, digest=name, size=1, modified=0.0, path=name, info=info, fits=list(fits))


def test_models_stand_before_those_with_adapters() -> None:
    listed = [entry("sailor", fits=("one", "two", "gone")), entry("one"), entry("two")]
    assert [each.name for each in served(listed)] == ["one", "two", "one+sailor", "two+sailor"]
