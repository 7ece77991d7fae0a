"""A model folder as what a GGUF file of it holds: metadata and tensors, nothing written yet."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.models.architectures.config_json import text_settings
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.conversion.heads import head_of
from mlxr.models.conversion.recipes import recipe_of
from mlxr.models.conversion.role_rules import to_gguf
from mlxr.models.conversion.rope_tensors import rope_tensors
from mlxr.models.conversion.settings import Added, Recipe, settings_of
from mlxr.models.conversion.source_tensors import Model as Folder
from mlxr.models.conversion.vocabulary import add_vocabulary
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.gguf.pairs import Kind, Pair
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES
from mlxr.models.header import ModelHeader, read_header
from mlxr.models.hyperparameters import Format
from mlxr.models.jsonfile import read_json
from mlxr.models.pooling_heads import folder_pooling_head
from mlxr.models.quantization.encoding import Source
from mlxr.models.quantization.quantize import Model
from mlxr.models.tokenizers.errors import TokenizerError

if TYPE_CHECKING:
    from gguf import GGUFWriter

SMALL = ("ffn_gate_inp", "ffn_gate_inp_shexp", "position_embd", "token_types", "ssm_conv1d", "shortconv.conv")
"""Tensors that are written as F32 whatever the others are, by parts of their names."""
STORABLE = frozenset(TENSOR_TYPES.values())
FEW_BITS = frozenset({TensorType.AFFINE, TensorType.NF4, TensorType.MXFP4, TensorType.NVFP4})
"""What folders quantize to, of which the values are not worth quantizing again without a word."""
HALVES = frozenset({TensorType.F16, TensorType.BF16})


class Cast(NamedTuple):
    """A tensor that is to be written as ``type``, whatever it is stored as."""

    source: Source
    type: TensorType

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def rows(self) -> int:
        return self.source.rows

    def read_rows(self, first: int, count: int) -> Tensor:
        return self.source.read_rows(first, count)


def model_of_folder(path: Path) -> Model:
    """Returns a folder as the GGUF model that it makes.

    Matrices keep their types where GGUF has them, else they become what the most of the folder's halves are. Raises
    ``UnsupportedModelError`` for what mlxr does not write, ``ModelFileError`` for what is malformed.
    """
    header = read_header(path)
    gguf_table = header.family.tables.get(Format.GGUF)
    if gguf_table is None:
        raise UnsupportedModelError(path, f"is of the family {header.family.name}, of which there are no GGUF files")
    architecture = gguf_table.architectures[0]
    config = _config(path, header)
    recipe = recipe_of(path, architecture, str(config.get("model_type", "")))
    spec = header.family.read(header.parameters, HeaderWeights(path, header.tensors))
    settings = settings_of(path, recipe, config, spec)
    weights = HeaderWeights(path, header.tensors)
    stages = folder_pooling_head(header.parameters, weights, header.table, spec, header.modules, header.score)
    head = head_of(path, stages, spec, header.tensors, config, bool(header.modules.pooling))
    folder = Folder(path, architecture, spec, config, header.table, gguf_table, header.family.reordered)
    tensors: dict[str, Source] = {}
    for name, source in to_gguf(folder, header.tensors):
        if name in tensors:
            raise ModelFileError(path, f"has two tensors that would both be {name!r}")
        tensors[name] = source
    tensors |= {**rope_tensors(path, architecture, config), **head.tensors}
    if not head.text:
        tensors.pop(gguf_table.names["head"], None)
    if recipe.variant and (instead := recipe.variant(spec)):
        architecture = instead
    plain = _half(tensors)
    tensors = {name: _cast(name, source, plain) for name, source in tensors.items()}
    pairs = _pairs(path, architecture, recipe, config, settings, tensors, head.settings)
    metadata = {"general.architecture": architecture, **_facts(architecture, settings)}
    few = sorted({tensor.stored_as for tensor in header.tensors.values() if tensor.type in FEW_BITS})
    return Model(path, metadata, pairs, tensors, f"it has matrices in {', '.join(few)}" if few else "")


def _config(path: Path, header: ModelHeader) -> dict[str, Any]:
    """The text model's settings as they stand in the folder, with what others call them, and those that go without
    saying."""
    own = text_settings(read_json(path / "config.json", infinite=True))
    return {**header.table.defaults, **own, **{header.table.keys.get(key, key): value for key, value in own.items()}}


def _half(tensors: Mapping[str, Source]) -> TensorType:
    """What a folder's matrices are that GGUF has no type for: the type of most of its numbers, at least 16 bits."""
    sizes: dict[TensorType, int] = {}
    for source in tensors.values():
        if source.type in HALVES:
            sizes[source.type] = sizes.get(source.type, 0) + math.prod(source.shape)
    return max(sizes, key=lambda type: sizes[type], default=TensorType.F16)


def _cast(name: str, source: Source, half: TensorType) -> Source:
    if len(source.shape) < 2 or name.endswith("_norm.weight") or not name.endswith(".weight"):
        return Cast(source, TensorType.F32)
    if any(f".{part}." in f".{name}" for part in SMALL):
        return Cast(source, TensorType.F32)
    type = source.type
    fits = type in STORABLE and source.shape[-1] % BLOCKS[type][0] == 0
    return source if fits else Cast(source, half)


def _facts(architecture: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What mixes ask of a model."""
    keys = {
        "block_count": "block_count",
        "head_count": "attention.head_count",
        "head_count_kv": "attention.head_count_kv",
        "expert_count": "expert_count",
    }
    return {f"{architecture}.{key}": settings[what] for what, key in keys.items() if what in settings}


def _pairs(
    path: Path,
    architecture: str,
    recipe: Recipe,
    config: Mapping[str, Any],
    settings: Mapping[str, Any],
    tensors: Mapping[str, Source],
    behind: Sequence[Added],
) -> list[Pair]:
    from gguf import GGUFWriter

    with _quiet():
        writer = GGUFWriter(None, architecture)
        writer.add_type("model")
        _add_identity(writer, path, tensors, int(settings.get("expert_count", 0)))
        for what, value in settings.items():
            _add(writer, path, architecture, what, value)
        for added in behind:
            _add(writer, path, architecture, added.what, added.value)
        try:
            add_vocabulary(writer, path, config, recipe.sentencepiece, recipe.vocabulary)
        except TokenizerError as error:
            raise UnsupportedModelError(path, f"can't be written as GGUF: {error}") from None
        return [_pair(key, held) for key, held in writer.kv_data[0].items()]


def _add(writer: GGUFWriter, path: Path, architecture: str, what: str, value: Any) -> None:
    from gguf import ExpertGatingFuncType, PoolingType, RopeScalingType

    if what == "rope_scaling_type":
        value = RopeScalingType(value)
    elif what in ("expert_gating_func", "pooling_type"):
        value = {"expert_gating_func": ExpertGatingFuncType, "pooling_type": PoolingType}[what](value)
    try:
        if what.startswith("."):
            adders: dict[type, Any] = {list: writer.add_array, str: writer.add_string, int: writer.add_uint32}
            adders[type(value)](f"{architecture}{what}", value)
        else:
            getattr(writer, f"add_{what}")(value)
    except (TypeError, ValueError) as error:
        raise ModelFileError(path, f"has {what} as {str(value)[:40]}, which can't be: {error}") from None


def _add_identity(writer: GGUFWriter, path: Path, tensors: Mapping[str, Source], experts: int) -> None:
    """Name, authors and license as the folder's README has them, and how large it is."""
    from gguf import Metadata, size_label

    total = shared = in_experts = 0
    for name, source in tensors.items():
        count = math.prod(source.shape)
        total += count
        if "_exps." in name and len(source.shape) > 2:
            in_experts += count // max(source.shape[0], 1)
        else:
            shared += count
    try:
        known = Metadata.load(None, path, None, total)
    except Exception as error:  # whatever a README's YAML makes of the package
        logging.getLogger("mlxr.conversion").debug("the README of %s tells nothing: %s", path, error)
        known = Metadata()
    known.name = known.name or path.name
    known.size_label = known.size_label or (size_label(total, shared, in_experts, experts) if total else None)
    known.set_gguf_meta_model(writer)


def _pair(key: str, held: Any) -> Pair:
    kind = Kind(int(held.type))
    if kind is not Kind.ARRAY:
        return Pair.of(key, kind, held.value)
    values = list(held.value)
    inner = Kind(int(held.sub_type)) if held.sub_type is not None else _kind_of(held.value)
    return Pair.array(key, inner, values)


def _kind_of(values: Any) -> Kind:
    from gguf import GGUFValueType

    if isinstance(values, bytes | bytearray):
        return Kind.U8
    return Kind(int(GGUFValueType.get_type(values[0])))


@contextmanager
def _quiet() -> Iterator[None]:
    """The package logs each step."""
    logger = logging.getLogger("gguf")
    before, logger.level = logger.level, logging.ERROR
    try:
        yield
    finally:
        logger.setLevel(before)
