"""``mlxr convert``: a model in another format."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mlxr.cli.options import AsJson, Endpoint, ModelName
from mlxr.cli.quantize import NameOption, OutputOption, RequantizeOption, ThreadsOption
from mlxr.cli.verbs import Task, add_verb

CONVERT = [
    ("mlxr convert ./Qwen3-0.6B --to gguf --name qwen", "a folder as a GGUF file of the same numbers"),
    ("mlxr convert ./Qwen3-0.6B --to gguf --type Q4_K_M --name small", "and quantized at once"),
    ("mlxr convert ./Qwen3-0.6B --to mlx --type 4bit -o qwen-4bit", "a folder as mlx-lm writes it"),
    ("mlxr convert smollm2 --to mlx --name smollm2-mlx", "a GGUF file as a folder for mlx-lm"),
]


class To(StrEnum):
    GGUF = "gguf"
    MLX = "mlx"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_verb(app, "convert", convert, Task.MAKE, CONVERT)


def convert(
    source: ModelName,
    to: Annotated[To, typer.Option("--to", help="The format to write.")],
    type: Annotated[
        str, typer.Option("--type", "-t", metavar="TYPE", help="As `mlxr quantize` takes it; for MLX 4bit, mxfp4, ...")
    ] = "",
    name: NameOption = "",
    output: OutputOption = None,
    requantize: RequantizeOption = False,
    group: Annotated[
        int, typer.Option("--group-size", metavar="N", min=0, max=1024, help="Values that share a scale (MLX).")
    ] = 0,
    threads: ThreadsOption = 0,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Make a GGUF file, or an MLX folder, of a model in another format."""
    from mlxr.actors.registry.conversion.job import Wanted
    from mlxr.cli import conversion

    wanted = Wanted(format="mlx" if to is To.MLX else "gguf", type=type, requantize=requantize, group=group)
    conversion.convert(source, wanted, name, output, threads, as_json, endpoint)
