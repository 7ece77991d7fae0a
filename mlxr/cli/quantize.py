"""``mlxr quantize``: a model in fewer bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlxr.cli.completion import complete_file_type
from mlxr.cli.options import AsJson, Endpoint, ModelName
from mlxr.cli.verbs import Task, add_verb

QUANTIZE = [
    ("mlxr quantize mine-f16 --type Q4_K_M", "catalogued as mine-f16-q4_k_m"),
    ("mlxr quantize ./model-f16.gguf --type IQ4_XS --name small", "a file of yours, under a name"),
    ("mlxr quantize smollm2 --type Q4_K_M --requantize --name small-k", "one that is quantized already"),
    ("mlxr quantize mine-f16 --type Q8_0 --endpoint studio:11435", "by a server, beside what it answers"),
]

TypeOption = Annotated[
    str,
    typer.Option(
        "--type", "-t", metavar="TYPE", help="As llama-quantize: Q4_K_M, Q8_0, ...", autocompletion=complete_file_type
    ),
]
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="What to catalogue it as.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write it there, and catalogue nothing.")
]
RequantizeOption = Annotated[bool, typer.Option("--requantize", help="Take a source that is quantized already.")]
ImportanceOption = Annotated[
    Path | None, typer.Option("--imatrix", metavar="FILE", help="An importance matrix (.gguf or .dat).")
]
PureOption = Annotated[bool, typer.Option("--pure", help="Every matrix in the same type.")]
OutputTypeOption = Annotated[
    str, typer.Option("--output-tensor-type", metavar="TYPE", help="Of the output projection.")
]
EmbeddingTypeOption = Annotated[str, typer.Option("--token-embedding-type", metavar="TYPE", help="Of the embedding.")]
KeepOutputOption = Annotated[bool, typer.Option("--leave-output-tensor", help="Leave the output projection as it is.")]
TensorTypeOption = Annotated[
    list[str] | None,
    typer.Option("--tensor-type", metavar="EXPRESSION=TYPE", help="Of tensors whose names it finds; may be repeated."),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=0, max=1024, help="How many encode at once; 0: all processors.")
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_verb(app, "quantize", quantize, Task.MAKE, QUANTIZE)


def quantize(
    source: ModelName,
    type: TypeOption,
    name: NameOption = "",
    output: OutputOption = None,
    requantize: RequantizeOption = False,
    imatrix: ImportanceOption = None,
    pure: PureOption = False,
    output_type: OutputTypeOption = "",
    embedding_type: EmbeddingTypeOption = "",
    keep_output: KeepOutputOption = False,
    tensor_type: TensorTypeOption = None,
    threads: ThreadsOption = 0,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Make a GGUF model of fewer bits from one of more."""
    from mlxr.actors.registry.conversion.job import Wanted
    from mlxr.cli import conversion

    wanted = Wanted(
        type=type,
        requantize=requantize,
        importance=str(imatrix.absolute()) if imatrix else "",
        pure=pure,
        output_type=output_type,
        embedding_type=embedding_type,
        keep_output=keep_output,
        tensor_types=tensor_type or [],
    )
    conversion.convert(source, wanted, name, output, threads, as_json, endpoint)
