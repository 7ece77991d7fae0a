"""The table of what was compared, and what in it is a failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import fill

from tests.families.comparison import GREEDY, Comparison

COLUMNS = ("folder", "folder, cpu", "mlx folder", "gguf", "gguf, cpu", "llama.cpp")
OURS = COLUMNS[:-1]
COLUMNS_WIDE = 120
WORST, WORST_CPU = 1e-3, 1e-2
"""Most that outputs may be off, relative to the largest. The CPU's keys and values have 16 bits."""

HEAD = """# Families, held against transformers and llama.cpp

`make test-families` writes this page. Each line is a tiny randomly initialised checkpoint that transformers made: saved
as a folder, written by mlx-lm as an MLX folder, and by llama.cpp's own converter as a GGUF file, all in float32. A
figure is how far mlxr's logits are from transformers', relative to the largest: the worst of 104 positions, once
prefilled in pieces and once token by token. Behind it is how many of 64 greedy tokens come out equal. Of encoders the
last hidden states are compared. "cpu" is the native backend, whose keys and values have 16 bits, with the median of
positions; the others are the reference. The last column is llama.cpp on the same GGUF file. Where a GGUF file can't
say all that the folder does, mlxr's reading of it is held against llama.cpp's instead.

"""


EXPLAINED = {
    ("ernie4_5_moe", "mlx folder"): "mlx-lm leaves out the bias by which experts are chosen",
    ("ernie4_5_moe", "gguf"): "the converter guesses the shared expert's size from other settings",
    ("falcon_h1", "mlx folder"): "refused: versions of mlx-lm differ in whether matrices hold the multipliers",
    ("falcon_h1 with norms", "mlx folder"): "refused, too",
    ("granite 4 with biases", "gguf"): "llama.cpp's files have no place for these biases, and mlxr refuses them",
    ("mamba with biases", "gguf"): "llama.cpp's files have no place for these biases, and mlxr refuses them",
    ("phimoe with more jitter", "gguf"): "the file does not say how much, and the published model's is meant",
    ("nemotron_h", "gguf"): "the converter takes it for the mixture",
    ("nomic-bert-moe", "folder"): "refused: mlxr runs its experts from GGUF files alone",
}
"""Where there is no figure, or one of a file that a peer wrote otherwise than the checkpoint is, and why."""


Cells = list[tuple[str, str]]
"""Of a row: what stands in each column, and the note to it; empty for none."""


def table(found: Mapping[str, Comparison], page: str = "") -> str:
    """Returns the page of what was found, with the rows of ``page``, an earlier one, that were not looked at again."""
    rows = {**rows_of(page), **{name: cells_of(name, case) for name, case in found.items()}}
    lines = ["| checkpoint | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    notes: list[str] = []
    for name, cells in rows.items():
        shown = []
        for text, note in cells:
            if note:
                notes.append(note)
            shown.append(" ".join(filter(None, [text, f"[{len(notes)}]" if note else ""])))
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    numbered = [
        fill(f"{n}. {' '.join(note.split())}", COLUMNS_WIDE, subsequent_indent="   ") for n, note in enumerate(notes, 1)
    ]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(numbered) + "\n"


def rows_of(page: str) -> dict[str, Cells]:
    """Returns the rows of a page by the names of checkpoints."""
    body = page.partition(f"| checkpoint | {COLUMNS[0]} |")[2]
    notes = {number: " ".join(text.split()) for number, text in re.findall(r"(?ms)^(\d+)\. (.*?)(?=^\d+\. |\Z)", body)}
    found: dict[str, Cells] = {}
    for line in body.splitlines()[2:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        parts = [re.fullmatch(r"(.*?) ?(?:\[(\d+)\])?", cell) for cell in cells]
        found[name] = [(part[1], notes.get(part[2] or "", "")) for part in parts if part]
    return found


def cells_of(name: str, case: Comparison) -> Cells:
    cells: Cells = []
    for column in COLUMNS:
        if why := EXPLAINED.get((name, column.removesuffix(", cpu"))):
            cells.append(("", f"{name}, {column}: {why}"))
        elif column in case.refused:
            cells.append(("", f"{name}, {column}: {case.refused[column]}"))
        elif column in case.errors:
            greedy = f", {case.greedy[column]}" if column in case.greedy else ""
            cells.append((f"{case.errors[column]:.1e}{greedy}", ""))
        else:
            cells.append(("-", ""))
    if reads_alike(case):
        at = COLUMNS.index("gguf")
        less = f"the GGUF file says less; mlxr and llama.cpp differ by {case.beside_llama_cpp:.1e}"
        cells[at] = (cells[at][0], f"{name}: {less}")
    return cells


def reads_alike(case: Comparison) -> bool:
    """Tells whether mlxr reads a GGUF file as llama.cpp does where neither gives transformers' numbers."""
    beside = case.beside_llama_cpp
    return beside is not None and beside <= WORST < min(case.errors["gguf"], case.errors["llama.cpp"])


def failures(found: Mapping[str, Comparison]) -> list[str]:
    """Returns a line for each figure of ours that is not as it must be."""
    wrong = []
    for name, case in found.items():
        for who in OURS:
            if (name, who.removesuffix(", cpu")) in EXPLAINED:
                continue
            if who in case.refused and not case.refused[who].startswith(("mlx-lm", "llama.cpp")):
                wrong.append(f"{name}, {who}: {case.refused[who]}")
            if who not in case.errors or ("gguf" in who and reads_alike(case)):
                continue
            if not case.errors[who] <= (WORST_CPU if "cpu" in who else WORST):
                wrong.append(f"{name}, {who}: is off by {case.errors[who]:.1e}")
            if case.greedy.get(who, GREEDY) < GREEDY and "cpu" not in who:
                wrong.append(f"{name}, {who}: {case.greedy[who]} of {GREEDY} greedy tokens are equal")
    return wrong
