"""Documents by their likeness to a query."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.rig import ask, embedded, rig


async def test_documents_are_ordered_by_their_likeness_to_the_query(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        wanted = {
            "model": "tiny",
            "query": "a",
            "documents": ["zz", {"text": "a"}],
            "top_n": 1,
            "return_documents": True,
        }
        _, body, _ = await ask(r, "POST", "/v1/rerank", json=wanted)
        (best,) = body["results"]
        assert (best["index"], best["document"]) == (1, {"text": "a"})
        assert best["relevance_score"] == pytest.approx(1.0)
