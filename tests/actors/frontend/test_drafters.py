"""A request may name the draft model that its engine has, and no other."""

from __future__ import annotations

import pytest

from mlxr.actors.frontend.drafters import require_drafter
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.model_info import ModelInfo

SMALL = ModelEntry("small:latest", "d", 1, 0.0, "/small", ModelInfo("gguf", "llama"), aliases=["little"])


def find(name: str) -> ModelEntry | None:
    return SMALL if name in ("small", "small:latest", "little") else None


@pytest.mark.parametrize("name", [None, "", "none", "auto", "small", "little"])
def test_its_own_one_and_none_may_be_named(name: str | None) -> None:
    require_drafter(name, EngineInfo("large-1", "large", "ready", drafter="small:latest"), find)


@pytest.mark.parametrize(("drafter", "there"), [("small:latest", "is small:latest"), ("", "without a draft model")])
def test_another_is_refused_with_the_way_out(drafter: str, there: str) -> None:
    with pytest.raises(RequestError, match=r"speculation\.draft_model") as refused:
        require_drafter("huge", EngineInfo("large-1", "large", "ready", drafter=drafter), find)
    assert there in refused.value.info.message
    assert refused.value.info.param == "draft_model"
