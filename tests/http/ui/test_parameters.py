"""What answers are made with where a chat says nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mlxr.runtime.messages.frontend import Catalog
from tests.http.rig import ENGINE, ENTRY, ask, rig

OWN = msgspec.structs.replace(
    ENTRY, options=b'{"temperature": 0.3, "stop": "END", "num_ctx": 512, "top_k": 0, "odd": 1}', system="Be kind."
)


async def test_a_models_own_options_come_before_the_servers(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([OWN], [ENGINE])) as r:
        status, body, _ = await ask(r, "GET", "/api/ui/parameters?model=tiny")
    defaults = body["defaults"]
    assert (status, body["model"], body["system"], body["context_length"]) == (200, "tiny", "Be kind.", 2048)
    assert defaults["temperature"] == {"value": 0.3, "source": "model"}
    assert defaults["stop"] == {"value": ["END"], "source": "model"}
    assert defaults["context_length"] == {"value": 512, "source": "model"}
    assert defaults["top_k"] == {"value": None, "source": "model"}
    assert defaults["top_p"] == {"value": 1.0, "source": "server"}
    assert defaults["seed"] == {"value": None, "source": "server"}
    assert "odd" not in defaults


async def test_an_unknown_model_is_a_404_that_names_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, body, _ = await ask(r, "GET", "/api/ui/parameters?model=nobody")
    assert (status, body["code"]) == (404, "model_not_found")
    assert "nobody" in body["error"]
