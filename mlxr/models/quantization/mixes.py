"""llama.cpp's published mixes (``src/llama-quant.cpp``), as tables: what gets more bits than a file type's base has.

Matrices that matter more get more, by what they do, how deep they lie, and how many query heads share a key head; those
that mean nothing in so few bits stay as they are. ``tensor_types.py`` looks here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mlxr.metal.tensors import TensorType as T

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

EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")
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
    if name in EMBEDDINGS:
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


FEWEST = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M"
_WIDE_IQ2 = "IQ2_S IQ2_M"
_NARROW = "IQ1_S IQ1_M IQ2_XXS IQ2_XS"

OUTPUT: tuple[Rule, ...] = (Rule(f"{FEWEST} IQ3_XXS", T.Q5_K),)
"""For the output projection; ``Q6_K`` where none fits, unless the base is ``Q8_0``."""

EMBEDDING: tuple[Rule, ...] = (
    Rule(_NARROW, T.Q2_K),
    Rule(f"{_WIDE_IQ2} IQ3_XXS", T.IQ3_S),
    Rule("TQ1_0 TQ2_0 Q2_0", T.Q4_K),
)

_VALUE: tuple[Rule, ...] = (
    Rule(FEWEST, T.Q4_K, either(shared, many_experts)),
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
_KEY: tuple[Rule, ...] = (Rule(FEWEST, T.Q4_K, eight_experts), *_QUERY)
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
    Rule(FEWEST, T.Q5_K, eight_experts),
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
