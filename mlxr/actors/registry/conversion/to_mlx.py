"""Makes MLX folders: plans them, checks for room, writes them."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.conversion.job import Done, Job
from mlxr.actors.registry.conversion.to_gguf import Begin
from mlxr.models.conversion.gguf_to_mlx import folder_of_gguf
from mlxr.models.conversion.mlx_types import matrix_type
from mlxr.models.conversion.to_mlx import folder_of, write_folder
from mlxr.models.formats.gguf.split import holds_gguf


def convert(job: Job, target: Path, begin: Begin) -> Done:
    """Writes ``target``. Raises ``UnusableModelError``, ``OutOfSpace``, ``ValueError`` and ``OSError``."""
    wanted = job.wanted
    matrices = matrix_type(wanted.type, wanted.group)
    source = Path(job.source)
    make = folder_of_gguf if holds_gguf(source) else folder_of
    folder = make(source, matrices, wanted.requantize)
    status = f"quantizing model to {wanted.type}" if matrices.quantization else "converting model"
    with files.space_for(target.parent, folder.nbytes):
        write_folder(folder, target, begin(status))
        for path in target.iterdir():
            files.sync(path)
    return Done(files.hash_folder(target), files.size_of(target))
