"""GGUF files of random weights in a published shape: the metadata decide which tensors there are.

The family's own code is asked which tensors it would read of a file with that metadata, so a shape is nothing but its
settings, and every family has files. Each matrix has the type that llama.cpp's ``llama-quantize`` gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, TensorType, row_bytes
from mlxr.models.architectures.decoder import check_tensors
from mlxr.models.architectures.families import FAMILIES, by_architecture
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.modelfile import ModelFile, StoredTensor
from tests.models.files import random_blocks

Types = Callable[[str, int, int], TensorType]
"""A matrix's type by its name, the number of its layer, and how many layers there are."""

POOL_ROWS = 64
"""Enough different rows for speed: no kernel looks at more than a few at once."""


QWEN3_30B_A3B: Mapping[str, Any] = {
    "block_count": 48,
    "context_length": 40_960,
    "embedding_length": 2048,
    "feed_forward_length": 6144,
    "expert_feed_forward_length": 768,
    "expert_count": 128,
    "expert_used_count": 8,
    "attention.head_count": 32,
    "attention.head_count_kv": 4,
    "attention.key_length": 128,
    "attention.value_length": 128,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.freq_base": 1e6,
}
"""The published model's settings, which CPU and GPU are measured with."""


@dataclass(frozen=True, slots=True)
class RandomModel:
    """A shape.

    Attributes:
        architecture: GGUF's ``general.architecture``.
        settings: its metadata under the architecture's prefix.
        vocabulary: rows of the embedding.
        types: what matrices are kept as.
        has: names of tensors that a file of the family may lack, and this one has.
        distinct: rows that are made of a matrix, and used again and again.
    """

    architecture: str
    settings: Mapping[str, Any]
    vocabulary: int
    types: Types
    has: frozenset[str] = field(default=frozenset())
    distinct: int = POOL_ROWS

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of every tensor that the family asks for."""
        parameters = Hyperparameters(Path(self.architecture), self.settings)
        weights = _Asked(self)
        family = by_architecture(Format.GGUF, FAMILIES)[self.architecture]
        spec = family.read(parameters, weights)
        assert isinstance(spec, DecoderSpec), "files of encoders are not made here"
        check_tensors(spec, NamedTensors(weights, family.tables[Format.GGUF]))
        return weights.shapes

    def write(self, path: Path) -> Path:
        """Writes the file, a tensor at a time."""
        writer, random = GGUFWriter(path, self.architecture), np.random.default_rng(7)
        for key, value in self.settings.items():
            _add(writer, f"{self.architecture}.{key}", value)
        _add_vocabulary(writer, self.vocabulary)
        shapes, layers = self.tensors(), self.settings["block_count"]
        types = {name: self._type(name, shape, layers) for name, shape in shapes.items()}
        for name, shape in shapes.items():
            size = int(np.prod(shape[:-1])) * row_bytes(types[name], shape[-1])
            kind = GGMLQuantizationType[types[name].value]
            dtype = np.dtype(np.float32 if types[name] is TensorType.F32 else np.uint8)
            stored = shape if types[name] is TensorType.F32 else (*shape[:-1], row_bytes(types[name], shape[-1]))
            writer.add_tensor_info(name, stored, dtype, size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, shape in shapes.items():
            writer.write_tensor_data(_values(name, types[name], shape, self.distinct, random))
        writer.close()
        return path

    def _type(self, name: str, shape: tuple[int, ...], layers: int) -> TensorType:
        """Vectors, and what is no matrix for a product, stay as they are, as ``llama-quantize`` leaves them."""
        small = len(shape) < 2 or not name.endswith(".weight") or min(shape[-2:]) < 32
        if small or any(
            part in name for part in ("ffn_gate_inp", "conv1d", "shortconv.conv", "ssm_a", "altup", "laurel")
        ):
            return TensorType.F32
        if "per_layer_model_proj" in name:  # left as published
            return TensorType.BF16
        layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
        type = self.types(name, layer, layers)
        return type if shape[-1] % BLOCKS[type][0] == 0 else TensorType.Q8_0


class _Asked(HeaderWeights):
    """Has whatever it is asked for, and notes the shape."""

    def __init__(self, model: RandomModel) -> None:
        super().__init__(Path(model.architecture), {})
        self._model = model
        self.shapes: dict[str, tuple[int, ...]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._model.has

    def rows(self, name: str, most: int) -> int:
        return self._model.vocabulary

    def optional_values(self, name: str, size: int) -> NDArray[np.float64] | None:
        if name not in self:
            return None
        self.shapes[name] = (size,)
        return np.ones(size)

    def _advance(self, tensor: StoredTensor) -> None:
        """Nothing is read."""

    def _found(self, name: str) -> StoredTensor:
        return self._tensor(name, self.shapes.get(name, ()))

    def _tensor(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        self.shapes[name] = shape
        return StoredTensor(cast("ModelFile", None), name, TensorType.F32, shape, 0, 0)


def q4_k_m(name: str, layer: int, layers: int) -> TensorType:
    """``llama-quantize ... Q4_K_M``: the output, and of some layers values and the way down, in Q6_K."""
    if name in ("output.weight", "per_layer_token_embd.weight"):
        return TensorType.Q6_K
    if any(part in name for part in ("attn_v", "ffn_down")) and _more_bits(layer, layers):
        return TensorType.Q6_K
    return TensorType.Q4_K


def tied_q4_k_m(name: str, layer: int, layers: int) -> TensorType:
    """The same where the embedding is the output, too."""
    return TensorType.Q6_K if name == "token_embd.weight" else q4_k_m(name, layer, layers)


def mxfp4_experts(name: str, layer: int, layers: int) -> TensorType:
    """gpt-oss's files: experts as they were published, everything else in Q8_0."""
    return TensorType.MXFP4 if "_exps" in name else TensorType.Q8_0


def iq2_m(name: str, layer: int, layers: int) -> TensorType:
    """``llama-quantize ... IQ2_M``: 2 bits, with 3 for values, outputs and the first of the ways down."""
    if name == "output.weight":
        return TensorType.Q5_K
    three = name == "token_embd.weight" or "attn_v" in name or "attn_output" in name
    return TensorType.IQ3_S if three or ("ffn_down" in name and layer < layers // 8) else TensorType.IQ2_S


def _more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _values(
    name: str, type: TensorType, shape: tuple[int, ...], distinct: int, random: np.random.Generator
) -> NDArray[Any]:
    """Numbers with a mean of zero, as trained ones have: others make activations that no type holds."""
    if type is TensorType.F32:
        if name.endswith("ssm_a"):  # states decay
            return -np.ones(shape, np.float32)
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        drawn: NDArray[np.float64] = random.standard_normal(shape) / np.sqrt(shape[-1])
        return drawn.astype(np.float32)
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    if type is TensorType.BF16:
        wide = random.standard_normal((min(rows, distinct), columns), np.float32) / np.float32(columns**0.5)
        made = (wide.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        made = _centred(type, min(rows, distinct), columns, random)
    return np.resize(made, (rows, made.shape[1])).reshape(*shape[:-1], made.shape[1])


CENTRES = {TensorType.Q4_K: 7.5, TensorType.Q5_K: 15.5}
"""What a block's minimum times its scale is to be, for a mean of zero."""


def _centred(type: TensorType, rows: int, columns: int, random: np.random.Generator) -> NDArray[np.uint8]:
    size = BLOCKS[type][1]
    if type is TensorType.MXFP4:
        blocks = random.integers(0, 256, (rows, columns // 32, size), dtype=np.uint8)
        blocks[..., 0] = 119 + random.integers(0, 3, blocks.shape[:2])
        return blocks.reshape(rows, -1)
    if type is TensorType.Q8_0:
        blocks = random.integers(0, 256, (rows, columns // 32, size), dtype=np.uint8)
        blocks[..., :2] = np.array([0.0005], np.float16).view(np.uint8)
        return blocks.reshape(rows, -1)
    if type not in CENTRES:
        blocks = random.integers(0, 256, (rows, columns // BLOCKS[type][0], size), dtype=np.uint8)
        at = 208 if type is TensorType.Q6_K else 0
        blocks[..., at : at + 2] = np.array([0.00002 if at else 0.0005], np.float16).view(np.uint8)
        return blocks.reshape(rows, -1)
    blocks = random_blocks(type, rows, columns, random).reshape(rows, -1, size)
    scales = blocks[..., :4].reshape(-1).view(np.float16).reshape(rows, -1, 2)
    scales[..., 0] /= 8
    scales[..., 1] = CENTRES[type] * scales[..., 0]
    blocks[..., :4] = scales.view(np.uint8)
    return blocks.reshape(rows, -1)


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    else:
        add: dict[type, Callable[[str, Any], object]] = {
            bool: writer.add_bool,
            int: writer.add_uint32,
            float: writer.add_float32,
            str: writer.add_string,
        }
        add[type(value)](key, value)


def _add_vocabulary(writer: GGUFWriter, size: int) -> None:
    """Made-up words: llama.cpp takes no file without a vocabulary."""
    words = ["<unk>", "<s>", "</s>", *(f"word{number}" for number in range(3, size))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * size)
    writer.add_token_types([2, 3, 3] + [1] * (size - 3))
