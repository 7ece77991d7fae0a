"""The page of what was compared."""

from __future__ import annotations

from pathlib import Path

from tests.families.comparison import Comparison
from tests.families.table import cells_of, rows_of, table

PAGE = Path(__file__).parents[2] / "docs" / "families.md"


def test_a_page_keeps_the_rows_that_were_not_looked_at_again() -> None:
    page = PAGE.read_text()
    looked_at = Comparison(errors={"folder": 2e-5}, greedy={"folder": 64}, refused={"gguf": "it is not to be had"})
    rows = rows_of(table({"llama": looked_at, "another": looked_at}, page))
    assert rows["llama"] == cells_of("llama", looked_at)
    assert rows["llama"][0] == ("2.0e-05, 64", "")
    assert rows["another"][3] == ("", "another, gguf: it is not to be had")
    assert list(rows)[-1] == "another"
    others = {name: cells for name, cells in rows_of(page).items() if name != "llama"}
    assert others == {name: cells for name, cells in rows.items() if name not in ("llama", "another")}
    assert table({}, page) == page
