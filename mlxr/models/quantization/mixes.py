"""Which type each matrix of a model becomes: llama.cpp's published mixes (``src/llama-quant.cpp``), as tables.

A file type has a base type. Matrices that matter more get more bits, by what they do, how deep they lie, and how many
query heads share a key head; those that mean nothing in so few bits stay as they are. Pure: names and shapes in, types
out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mlxr.metal.tensors import BLOCKS
from mlxr.metal.tensors import TensorType as T
from mlxr.models.quantization.file_types import FileType

PLAIN = frozenset({T.F32, T.F16, T.BF16})
"""Types that hold numbers as such; all others quantize."""


class Role(StrEnum):
    """What a matrix does, as far as rules ask."""

    OUTPUT = "output"
    EMBEDDING = "embedding"
    QUERY_KEY_VALUE = "query, key and value as one"
    LATENT_UP = "keys and values from a latent"
    VALUE = "value"
    KEY = "key"
    QUERY = "query"
    ATTENTION_OUTPUT = "attention output"
    UP = "up"
    GATE = "gate"
    DOWN = "down"
    OTHER = "other"


VALUES = frozenset({Role.VALUE, Role.QUERY_KEY_VALUE, Role.LATENT_UP})
"""What is as sensitive as values are, and counted with them."""

_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")
_ROLES: tuple[tuple[str, Role], ...] = (
    ("attn_qkv.weight", Role.QUERY_KEY_VALUE),
    ("attn_kv_b.weight", Role.LATENT_UP),
    ("attn_v.weight", Role.VALUE),
    ("attn_k.weight", Role.KEY),
    ("attn_q.weight", Role.QUERY),
    ("attn_output.weight", Role.ATTENTION_OUTPUT),
    ("ffn_up", Role.UP),
    ("ffn_gate", Role.GATE),
    ("ffn_down", Role.DOWN),
)
"""What is in a matrix's name, and its role; the first that fits."""


def role_of(name: str) -> Role:
    """Returns what the matrix of that name does."""
    if name == "output.weight":
        return Role.OUTPUT
    if name in _EMBEDDINGS:
        return Role.EMBEDDING
    return next((role for part, role in _ROLES if part in name), Role.OTHER)


class Shape(NamedTuple):
    """A tensor as rules see it. ``shape``: outermost dimension first."""

    name: str
    type: T
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What rules ask of a model.

    architecture: GGUF's name for it.
    layers: all of them, those that predict further tokens too.
    heads, key_heads: of the first layer; 0 where it has none.
    experts: 0 without any.
    tied: whether the embedding is the output projection, too.
    importance: whether an importance matrix is there.
    """

    architecture: str
    layers: int
    heads: int
    key_heads: int
    experts: int
    tied: bool
    importance: bool = False

    @property
    def sharing(self) -> int:
        """Query heads for each key head."""
        return self.heads // self.key_heads if self.key_heads else 0

    @property
    def of_70b(self) -> bool:
        """Whether it is one of 70 billion weights, as llama.cpp has it, whose values are few and cheap."""
        grouped = self.sharing != 1
        return self.layers == 80 and (self.architecture == "qwen2" or (self.architecture == "llama" and grouped))


class Place(NamedTuple):
    """Where a matrix lies among those of its role."""

    number: int
    total: int
    model: ModelFacts


Condition = Callable[[Place], bool]


def always(place: Place) -> bool:
    return True


def shared(place: Place) -> bool:
    """Four query heads or more use one key head."""
    return place.model.sharing >= 4


def many_experts(place: Place) -> bool:
    return place.model.experts >= 4


def eight_experts(place: Place) -> bool:
    return place.model.experts == 8


def important(place: Place) -> bool:
    return place.model.importance


def more_bits(place: Place) -> bool:
    """The first and the last eighth of the layers, and each third one between."""
    eighth = place.total // 8
    return place.number < eighth or place.number >= 7 * place.total // 8 or (place.number - eighth) % 3 == 2


def middle(place: Place) -> bool:
    return place.total // 8 <= place.number < 7 * place.total // 8


def first(part: int) -> Condition:
    """Returns whether a matrix lies in the first ``part``-th of the layers."""
    return lambda place: place.number < place.total // part


def below(index: int) -> Condition:
    """Returns whether it is one of the first ``index``."""
    return lambda place: place.number < index


def negated(condition: Condition) -> Condition:
    return lambda place: not condition(place)


def both(one: Condition, other: Condition) -> Condition:
    return lambda place: one(place) and other(place)


def either(one: Condition, other: Condition) -> Condition:
    return lambda place: one(place) or other(place)


class Rule(NamedTuple):
    """Files of these ``types`` have this matrix ``becomes``, where ``when`` holds."""

    types: str
    becomes: T
    when: Condition = always


_FEWEST = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M"
_WIDE_IQ2 = "IQ2_S IQ2_M"
_NARROW = "IQ1_S IQ1_M IQ2_XXS IQ2_XS"

OUTPUT: tuple[Rule, ...] = (Rule(f"{_FEWEST} IQ3_XXS", T.Q5_K),)
"""For the output projection; ``Q6_K`` where none fits, unless the base is ``Q8_0``."""

EMBEDDING: tuple[Rule, ...] = (
    Rule(_NARROW, T.Q2_K),
    Rule(f"{_WIDE_IQ2} IQ3_XXS", T.IQ3_S),
    Rule("TQ1_0 TQ2_0 Q2_0", T.Q4_K),
)

_VALUE: tuple[Rule, ...] = (
    Rule(_FEWEST, T.Q4_K, either(shared, many_experts)),
    Rule(_WIDE_IQ2, T.IQ3_S),
    Rule(_NARROW, T.Q2_K),
    Rule("Q2_K Q2_K_S IQ3_XXS IQ3_XS IQ3_S", T.Q4_K, shared),
    Rule("Q2_K", T.Q3_K),
    Rule("IQ3_XXS", T.IQ3_S, negated(important)),
    Rule("IQ3_M", T.Q4_K),
    Rule("Q3_K_M", T.Q5_K, below(2)),
    Rule("Q3_K_M", T.Q4_K),
    Rule("Q3_K_L", T.Q5_K),
    Rule("IQ4_NL IQ4_XS", T.Q5_K, shared),
    Rule("Q4_K_M Q5_K_M", T.Q6_K, more_bits),
    Rule("Q4_K_S", T.Q5_K, below(4)),
)
_QUERY: tuple[Rule, ...] = (Rule("IQ3_XS", T.IQ3_XXS), Rule("IQ3_XXS", T.IQ2_S))
_KEY: tuple[Rule, ...] = (Rule(_FEWEST, T.Q4_K, eight_experts), *_QUERY)
_DOWN: tuple[Rule, ...] = (
    Rule(_WIDE_IQ2, T.IQ3_S, first(8)),
    Rule(_NARROW, T.Q2_K, first(8)),
    Rule("Q2_K", T.Q3_K),
    Rule("Q2_K_S", T.Q4_K, first(8)),
    Rule("IQ3_XXS", T.Q4_K, both(first(8), negated(important))),
    Rule("IQ3_XXS", T.Q3_K, negated(important)),
    Rule("Q3_K_M", T.Q5_K, first(16)),
    Rule("Q3_K_M", T.Q4_K),
    Rule("IQ3_M", T.Q4_K, either(first(8), both(eight_experts, more_bits))),
    Rule("Q3_K_L", T.Q5_K),
    Rule("Q4_K_M Q5_K_M", T.Q6_K, more_bits),
    Rule("IQ4_NL IQ4_XS", T.Q5_K, both(first(8), negated(important))),
    Rule("Q4_K_S", T.Q5_K, first(8)),
    Rule("Q4_0", T.Q4_1, both(first(8), important)),
    Rule("Q5_0", T.Q5_1, both(first(8), important)),
)
_ATTENTION_OUTPUT: tuple[Rule, ...] = (
    Rule(_FEWEST, T.Q5_K, eight_experts),
    Rule("IQ1_S IQ1_M", T.IQ2_XXS),
    Rule(_WIDE_IQ2, T.IQ3_S),
    Rule("Q2_K IQ3_XS IQ3_XXS Q3_K_S Q3_K_M IQ4_NL Q4_K_S Q4_K_M IQ3_S IQ3_M IQ4_XS", T.Q5_K, eight_experts),
    Rule("Q2_K", T.Q3_K),
    Rule("IQ3_XXS", T.IQ3_S),
    Rule("Q3_K_M IQ3_M", T.Q4_K),
    Rule("Q3_K_L", T.Q5_K, negated(eight_experts)),
)
_GATE: tuple[Rule, ...] = (Rule("IQ3_XS", T.IQ3_XXS, middle),)

RULES: dict[Role, tuple[Rule, ...]] = {
    Role.VALUE: _VALUE,
    Role.QUERY_KEY_VALUE: _VALUE,
    Role.LATENT_UP: _VALUE,
    Role.KEY: _KEY,
    Role.QUERY: _QUERY,
    Role.DOWN: _DOWN,
    Role.ATTENTION_OUTPUT: _ATTENTION_OUTPUT,
    Role.GATE: _GATE,
    Role.UP: _GATE,
}
"""What each matrix within layers becomes; the first rule that fits, and the base type where none does."""

COUNTED = {**dict.fromkeys(VALUES, Role.VALUE), Role.DOWN: Role.DOWN, Role.GATE: Role.GATE, Role.UP: Role.UP}
"""Roles whose matrices are counted to tell how deep one lies, and with which others."""

FALLBACKS: dict[T, T] = {
    **dict.fromkeys((T.IQ1_S, T.IQ1_M, T.IQ2_XXS, T.IQ2_XS, T.IQ2_S, T.IQ3_XXS, T.IQ3_S, T.IQ4_XS), T.IQ4_NL),
    **dict.fromkeys((T.Q1_0, T.Q2_0, T.Q2_K, T.Q3_K, T.TQ1_0, T.TQ2_0, T.NVFP4), T.Q4_0),
    T.Q4_K: T.Q5_0,
    T.Q5_K: T.Q5_1,
    T.Q6_K: T.Q8_0,
}
"""What takes a type's place where rows do not fill its blocks; ``F16`` where they do not fill that one's either."""

KEPT = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    ".position_embd",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
)
"""Parts of the names of tensors that stay as they are: small, or senseless in few bits."""
KEPT_NAMES = frozenset({"position_embd.weight", "token_types.weight"})

NEED_IMPORTANCE = frozenset({T.IQ3_XXS, T.IQ2_XXS, T.IQ2_XS, T.IQ2_S, T.IQ1_M, T.IQ1_S})
"""Types that are garbage without an importance matrix, but for embeddings and the output projection."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What people lay down themselves.

    pure: every matrix becomes the base type.
    output, embedding: the type of the output projection and of the embedding; None for the mix's.
    keep_output: whether the output projection stays as it is.
    by_name: regular expressions that a name is searched for, and the type of what they find; the first counts.
    """

    pure: bool = False
    output: T | None = None
    embedding: T | None = None
    keep_output: bool = False
    by_name: tuple[tuple[str, T], ...] = ()


def may_quantize(tensor: Shape, choices: Choices) -> bool:
    """Returns whether a tensor is a matrix that has a use for fewer bits."""
    inner = len(tensor.shape)
    while inner and tensor.shape[-inner] == 1:  # a matrix of one row is a vector
        inner -= 1
    name = tensor.name
    if inner < 2 or not name.endswith("weight") or (choices.keep_output and name == "output.weight"):
        return False
    return name not in KEPT_NAMES and not any(part in name for part in KEPT)


class Chosen(NamedTuple):
    """``type``: what a tensor becomes. ``wanted``: what it would, if its rows filled the blocks of that."""

    type: T
    wanted: T


def types_of(
    tensors: Sequence[Shape], file_type: FileType, model: ModelFacts, choices: Choices | None = None
) -> dict[str, T]:
    """Returns the type of every tensor in a file of ``file_type``, as ``chosen_types`` has them."""
    return {name: chosen.type for name, chosen in chosen_types(tensors, file_type, model, choices).items()}


def chosen_types(
    tensors: Sequence[Shape], file_type: FileType, model: ModelFacts, choices: Choices | None = None
) -> dict[str, Chosen]:
    """Returns what every tensor becomes in a file of ``file_type``.

    ``tensors``: in the order in which a file has them, layer by layer (``in_file_order``), since rules count.
    """
    choices = choices or Choices()
    values = sum(role_of(tensor.name) in VALUES for tensor in tensors)
    counts = {Role.VALUE: values, Role.DOWN: model.layers, Role.GATE: model.layers, Role.UP: model.layers}
    seen = dict.fromkeys(counts, 0)
    types: dict[str, Chosen] = {}
    for tensor in tensors:
        if not may_quantize(tensor, choices):
            types[tensor.name] = Chosen(tensor.type, tensor.type)
            continue
        chosen = _laid_down(tensor, file_type, choices)
        if chosen is None:
            wanted = type = file_type.base
            if type not in PLAIN:
                if not choices.pure:
                    wanted, type = _by_mix(tensor, file_type, model, choices, seen, counts)
                type = fitting(type, tensor.shape[-1])
            chosen = Chosen(type, wanted)
        types[tensor.name] = chosen
    return types


def _laid_down(tensor: Shape, file_type: FileType, choices: Choices) -> Chosen | None:
    """What somebody laid down for a tensor; None where nobody did."""
    named = next((type for pattern, type in choices.by_name if re.search(pattern, tensor.name)), None)
    role = role_of(tensor.name)
    if choices.embedding and role is Role.EMBEDDING and not (named and tensor.name == _EMBEDDINGS[1]):
        return Chosen(choices.embedding, choices.embedding)
    if choices.output and role is Role.OUTPUT:
        return Chosen(choices.output, choices.output)
    return Chosen(fitting(named, tensor.shape[-1]), named) if named and file_type.base not in PLAIN else None


def _by_mix(
    tensor: Shape,
    file_type: FileType,
    model: ModelFacts,
    choices: Choices,
    seen: dict[Role, int],
    counts: dict[Role, int],
) -> tuple[T, T]:
    """The type that the mix has for a matrix, and the one that it gets where its rows do not fill the base's blocks."""
    if role_of(tensor.name) is Role.OUTPUT or (role_of(tensor.name) is Role.EMBEDDING and model.tied):
        return _output(tensor, file_type, model, choices.output)
    type = _within_mix(tensor, file_type, model, seen, counts)
    return type, type


def _within_mix(
    tensor: Shape, file_type: FileType, model: ModelFacts, seen: dict[Role, int], counts: dict[Role, int]
) -> T:
    role, base = role_of(tensor.name), file_type.base
    if file_type.name == "MXFP4":
        return T.MXFP4 if len(tensor.shape) > 2 and tensor.shape[-3] > 1 else T.Q8_0
    if role is Role.EMBEDDING:
        return _first(EMBEDDING, file_type, Place(0, 1, model)) or base
    counter = COUNTED.get(role)
    index = seen[counter] if counter else 0
    if counter:
        seen[counter] += 1
        # Those of experts are counted by the layer: a layer has several.
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if counter is not Role.VALUE and model.experts > 1 and layer and not _narrowest(file_type):
            index = int(layer[1])
    place = Place(index, counts[counter] if counter else 1, model)
    made = _first(RULES.get(role, ()), file_type, place) or base
    if _narrowest(file_type):
        return made
    if role in VALUES and model.of_70b and made in (T.Q3_K, T.Q4_K):
        made = T.Q5_K
    return T.Q8_0 if model.experts == 8 and (role in VALUES or role is Role.KEY) else made


def _narrowest(file_type: FileType) -> bool:
    return file_type.name in _FEWEST.split()


def _output(tensor: Shape, file_type: FileType, model: ModelFacts, chosen: T | None) -> tuple[T, T]:
    base = file_type.base
    if chosen:
        return chosen, chosen
    if file_type.name == "MXFP4":
        return T.Q8_0, T.Q8_0
    wanted = _first(OUTPUT, file_type, Place(0, 1, model)) or (base if base is T.Q8_0 else T.Q6_K)
    return wanted, T.Q8_0 if tensor.shape[-1] % BLOCKS[base][0] else wanted


def _first(rules: Iterable[Rule], file_type: FileType, place: Place) -> T | None:
    fits = (rule.becomes for rule in rules if file_type.name in rule.types.split() and rule.when(place))
    return next(fits, None)


def fitting(type: T, columns: int) -> T:
    """Returns ``type``, or what takes its place for rows of so many values."""
    if columns % BLOCKS[type][0] == 0:
        return type
    instead = FALLBACKS.get(type, type)
    return T.F16 if columns % BLOCKS[instead][0] else instead


def needs_importance(name: str, type: T, file_type: FileType) -> bool:
    """Returns whether a matrix of that ``type`` is garbage without an importance matrix."""
    if name in (*_EMBEDDINGS, "output.weight"):
        return False
    return type in NEED_IMPORTANCE or (type is T.Q2_K and file_type.name == "Q2_K_S")


def in_file_order(names: Iterable[str]) -> list[str]:
    """Returns names in the order that llama.cpp writes: what is in no layer first, then layer by layer."""

    def place(name: str) -> tuple[int, bytes]:
        layer = re.match(r"blk\.(\d+)\.", name)
        return int(layer[1]) if layer else -1, name.encode()

    return sorted(names, key=place)
