"""What headers say of a model that is not here yet, or that nobody has loaded: for a worker of the sandbox."""

from __future__ import annotations

import math
from pathlib import Path

from mlxr.actors.registry.metadata.header_findings import HeaderFindings
from mlxr.actors.registry.metadata.read_info import read_or_error
from mlxr.api.estimate import TypeShare
from mlxr.metal.machine import Machine
from mlxr.models.adapters.loading import check_adapter
from mlxr.models.architectures.families import by_architecture
from mlxr.models.architectures.families.nearest import nearest
from mlxr.models.errors import ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.models.formats.gguf.file import GGUFFile, header_needs
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.formats.safetensors.folder import ModelFolder, read_tensors
from mlxr.models.hyperparameters import Format
from mlxr.models.loading import early_reads, read_adapter_base, read_footprint
from mlxr.models.modelfile import StoredTensor
from mlxr.runtime.model_info import ModelInfo

STATES = ".quant_state."
"""In the names of tensors that hold settings, which are read with a header (bitsandbytes)."""


def look(path: Path, machine: Machine) -> HeaderFindings:
    """Raises ``ModelFileError`` for corrupt files."""
    try:
        info = read_or_error(path)
        types = _types(path)
    except UnsupportedModelError as error:
        # Where nothing of it can be read; what a load would say stands for all.
        return HeaderFindings(ModelInfo("gguf" if holds_gguf(path) else "safetensors", "", unusable=error.within(path)))
    if info.unusable or info.is_adapter:
        return HeaderFindings(info, None, types, _nearest(info))
    try:
        return HeaderFindings(info, read_footprint(path, machine.sizes), types)
    except UnusableModelError as error:
        raise ModelFileError(path, error.within(path)) from None


def gguf_header_needs(path: Path, have: int) -> int:
    return header_needs(path, have)


def read_early(path: Path) -> list[tuple[str, int, int]]:
    """Returns what is read of a model's weights to look at it, by file, first byte and count; raises nothing but
    ``OSError``, since whatever is wrong with the model will show when it is looked at."""
    found: list[tuple[str, int, int]] = []
    try:
        for file in sorted(path.glob("*.safetensors")) if path.is_dir() else ():
            found += [_range(tensor) for name, tensor in read_tensors(file).items() if STATES in name]
        found += early_reads(path)
    except UnusableModelError:
        pass
    return found


def _range(tensor: StoredTensor) -> tuple[str, int, int]:
    return str(tensor.file.path), tensor.start, tensor.nbytes


def _types(path: Path) -> list[TypeShare]:
    tensors = GGUFFile.open(path).tensors if holds_gguf(path) else ModelFolder.open(path).tensors
    shares: dict[str, TypeShare] = {}
    for tensor in tensors.values():
        type = tensor.stored_as.upper()
        before = shares.get(type, TypeShare(type, 0, 0, 0))
        count = before.weights + math.prod(tensor.shape)
        shares[type] = TypeShare(type, before.tensors + 1, count, before.bytes + tensor.nbytes)
    return sorted(shares.values(), key=lambda share: -share.bytes)


def _nearest(info: ModelInfo) -> str:
    formats = [Format.GGUF] if info.format == "gguf" else [Format.HUGGING_FACE, Format.MLX]
    known = {name for format in formats for name in by_architecture(format)}
    return "" if not info.architecture or info.architecture in known else nearest(info.architecture, known)


def adapter_fault(adapter: Path, model: Path) -> str:
    """Returns why the adapter can't be applied to the model; '' where it can."""
    try:
        check_adapter(adapter, read_adapter_base(model))
    except UnusableModelError as error:
        return error.reason
    except OSError as error:
        return f"can't be read: {error.strerror or error}"
    return ""
