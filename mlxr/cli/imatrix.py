"""``mlxr imatrix``: measures which columns of a model's matrices matter, for quantizing to few bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlxr.cli.options import AsJson, ModelName
from mlxr.cli.verbs import Task, add_verb

IMATRIX = [
    ("mlxr imatrix mine-f16 --text calibration.txt -o mine.imatrix.gguf", "measured on a text of yours"),
    ("mlxr quantize mine-f16 --type IQ2_M --imatrix mine.imatrix.gguf", "and used"),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_verb(app, "imatrix", imatrix, Task.MAKE, IMATRIX)


def imatrix(
    source: ModelName,
    text: Annotated[Path, typer.Option("--text", "-f", metavar="FILE", help="What the model reads, as UTF-8.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it.", show_default="MODEL.imatrix.gguf"),
    ] = None,
    chunks: Annotated[
        int, typer.Option("--chunks", metavar="N", min=0, help="Chunks of the text to read; 0: all of it.")
    ] = 0,
    chunk_size: Annotated[
        int, typer.Option("--chunk-size", metavar="N", min=32, max=65536, help="Tokens of a chunk.")
    ] = 512,
    as_json: AsJson = False,
) -> None:
    """Measure an importance matrix, which quantizing to few bits needs."""
    from mlxr.cli import importance_matrix

    importance_matrix.measure_importance(source, text, output, chunks, chunk_size, as_json)
