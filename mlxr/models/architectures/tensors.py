"""A family's tables of tensor names, one for each format, and look-ups through them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.weights import Weight
from mlxr.models.architectures.leftovers import Leftovers
from mlxr.models.architectures.weights import Rows, Weights

if TYPE_CHECKING:
    import mlx.core as mx

Names = Mapping[str, str]
"""A tensor's name by its role; ``{layer}`` stands for the layer's number, ``{expert}`` for that of an expert where each
has tensors of its own. Roles are those that ``decoder.py`` and ``encoder.py`` ask for; matrices that a file keeps above
one another as one have the name of all (``gate_up``)."""


WITHOUT_WEIGHTS = ""
"""The name of a norm that has no weights."""


@dataclass(frozen=True, slots=True)
class FormatTable:
    """One family in one format.

    ``architectures``: what files call it (``general.architecture``, ``model_type``).
    ``names``: where its tensors are.
    ``leftovers``: what files may hold besides.
    ``norm_offset``: what is added to norm weights (Gemma's are stored as their distance from 1).
    ``defaults``: settings that files leave out where they are these.
    ``keys``: what a folder's files call settings, and what most others do.
    ``renamed``: regular expressions, and what stands instead of them in the names of a folder's tensors (a prefix that
    files may have or not).
    ``classifiers``: what makes the one score of a model that ranks, one after another behind pooling: the stem of a
    tensor's name, and an activation behind its product; ``norm`` for a layer norm. Of several, files have one.
    ``takes_turns``: whether experts' gates and ups, where one tensor holds both (``experts_gate_up``), take turns by
    output, gate's first; else all of gate's come first.
    ``drafting``: where the parts are of a layer behind the last that drafts (``drafting_head.py``); its other tensors
    are named as those of any layer, but for what ``drafting_place`` says: a beginning of names, and what stands there
    instead.
    ``by_key_head``: whether queries, keys and values, where one tensor holds them (``query_key_value``), stand by key
    head, its queries first; else all queries come first.
    ``written_below``: what stands before names in a folder that mlxr writes, where those that read it ask for it;
    ``names`` are without.
    """

    architectures: tuple[str, ...]
    names: Names
    leftovers: Leftovers = field(default_factory=Leftovers)
    norm_offset: float = 0.0
    defaults: Mapping[str, object] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    classifiers: Sequence[Sequence[tuple[str, str]]] = ()
    takes_turns: bool = False
    by_key_head: bool = False
    drafting: Names = field(default_factory=dict)
    drafting_place: tuple[str, str] | None = None
    written_below: str = ""


class NamedTensors:
    """A file's tensors by role. Asking for one marks it as used. ``encoder``: see ``Backend.weight``; it counts within
    layers."""

    def __init__(self, weights: Weights, table: FormatTable, layer: int | None = None, encoder: bool = False) -> None:
        self._weights = weights
        self._table = table
        self._layer = layer
        self._encoder = encoder

    def layer(self, number: int) -> NamedTensors:
        """Returns the look-up for the tensors of one layer."""
        return NamedTensors(self._weights, self._table, number, self._encoder)

    @property
    def drafts(self) -> bool:
        """Whether files may have a layer behind the last that drafts."""
        return bool(self._table.drafting)

    def drafting(self, number: int) -> NamedTensors:
        """Returns the look-up for the tensors of that layer, whose number is ``number``."""
        table = self._table
        names = {**table.names, **table.drafting}
        if table.drafting_place is not None:
            before, instead = table.drafting_place
            names = {role: name.replace(before, instead, 1) for role, name in names.items()}
        return NamedTensors(self._weights, replace(table, names=names), number, self._encoder)

    def __contains__(self, role: str) -> bool:
        return role in self._table.names and self._name(role) in self._weights

    def named(self, role: str) -> bool:
        """Returns whether the family has tensors of the role, in whichever file."""
        return role in self._table.names

    def rows(self, role: str, most: int) -> int:
        return self._weights.rows(self._name(role), most)

    def matrix(self, role: str, outputs: int, inputs: int) -> Weight:
        return self._weights.matrix(self._name(role), outputs, inputs, self._in_encoder)

    def exact_matrix(self, role: str, outputs: int, inputs: int) -> Weight:
        """As ``matrix``, in an encoder too as its file has it: what goes with experts."""
        return self._weights.matrix(self._name(role), outputs, inputs)

    def lookup_table(self, role: str, rows: int, features: int) -> Weight:
        """Returns a matrix whose rows are looked up alone."""
        return self._weights.lookup_table(self._name(role), rows, features)

    def matrices(
        self, roles: Sequence[str], outputs: Sequence[int], inputs: int, together: str | None = None
    ) -> list[Weight]:
        """Returns matrices that read the same input, each kept by itself or all above one another in one tensor, whose
        role is ``together``, else those of all joined."""
        fused = together or "_".join(roles)
        if self.named(fused) and (fused in self or roles[0] not in self):
            return self._weights.parts(self._name(fused), outputs, inputs, self._in_encoder)
        return [self.matrix(role, count, inputs) for role, count in zip(roles, outputs, strict=True)]

    def padded_rows(self, role: str, groups: int, sizes: tuple[int, int], inputs: int) -> Weight:
        """Returns a matrix each of whose groups of rows has zeros behind it (``Weights.padded_rows``)."""
        return self._weights.padded_rows(self._name(role), groups, sizes, inputs)

    def padded_columns(self, role: str, groups: int, sizes: tuple[int, int], outputs: int) -> Weight:
        return self._weights.padded_columns(self._name(role), groups, sizes, outputs)

    def sorted_rows(self, role: str, rows: Sequence[Rows], inputs: int) -> list[Weight]:
        """Returns matrices whose rows stand in one tensor in an order of its own; ``rows`` tells where each's are."""
        return self._weights.sorted_rows(self._name(role), rows, inputs)

    def experts(self, role: str, count: int, outputs: int, inputs: int) -> Weight:
        """Returns the matrices of ``count`` experts above one another, each ``[outputs, inputs]``. A format whose files
        may have them in tensors of their own or all in one names the latter with ``_together`` behind the role; or with
        ``_turned``, where each is ``[inputs, outputs]`` there."""
        if self._turned(turned := f"{role}_turned", (count, inputs, outputs)):
            return self._weights.turned_experts(self._name(turned), count, outputs, inputs)
        if (together := f"{role}_together") in self:
            return self._weights.experts(self._name(together), count, outputs, inputs)
        name = self._table.names[role]
        if "{expert}" not in name:
            return self._weights.experts(self._name(role), count, outputs, inputs)
        names = [name.format(layer=self._layer, expert=expert) for expert in range(count)]
        return self._weights.stacked(names, outputs, inputs)

    def separate(self, role: str, count: int, outputs: int, inputs: int) -> list[Weight]:
        """Returns ``count`` matrices, which a file keeps in one tensor or in one each (``{expert}`` is its number)."""
        name = self._table.names[role]
        if "{expert}" not in name:
            return self._weights.separate(self._name(role), count, outputs, inputs)
        return [self._weights.matrix(name.format(expert=number), outputs, inputs) for number in range(count)]

    def experts_apart(self, role: str, count: int, outputs: int, inputs: int) -> list[Weight]:
        """Returns the matrices of ``count`` experts, each by itself, from where ``experts`` finds them."""
        if (together := f"{role}_together") in self:
            return self._weights.experts_apart([self._name(together)], count, outputs, inputs)
        name = self._table.names[role]
        if "{expert}" not in name:
            return self._weights.experts_apart([self._name(role)], count, outputs, inputs)
        names = [name.format(layer=self._layer, expert=expert) for expert in range(count)]
        return self._weights.experts_apart(names, count, outputs, inputs)

    def gates_and_ups(self, count: int, hidden: int, width: int) -> list[Weight]:
        """Returns the gates and the ups of ``count`` experts, which a file may keep in one tensor."""
        mixed, together = self._table.takes_turns, "experts_gate_up"
        if self._turned(turned := f"{together}_turned", (count, width, 2 * hidden)):
            return self._weights.turned_gates_and_ups(self._name(turned), count, hidden, width, mixed)
        if together in self or (self.named(together) and not self.named("experts_gate")):
            return self._weights.expert_parts(self._name(together), count, (hidden, hidden), width, mixed)
        return [self.experts(part, count, hidden, width) for part in ("experts_gate", "experts_up")]

    def gate_and_up_biases(
        self, count: int, hidden: int, required: Collection[str]
    ) -> tuple[mx.array | None, mx.array | None]:
        """Returns theirs, None where there are none and none is among the ``required`` roles."""
        role = "experts_gate_up_bias"
        if role in self:
            return self._weights.gate_and_up_biases(self._name(role), count, hidden, self._table.takes_turns)
        roles = "experts_gate_bias", "experts_up_bias"
        gate, up = (self.bias(part, count * hidden, required, count) for part in roles)
        return gate, up

    def _turned(self, role: str, shape: tuple[int, ...]) -> bool:
        """Returns whether a file has such a tensor, inputs first. Where a format's files may have it of either kind, by
        one name, its shape tells; experts that are square are taken for inputs first."""
        if role not in self:
            return False
        name = self._name(role)
        either = any(
            self._table.names[other] == self._table.names[role] for other in self._table.names if other != role
        )
        return not either or self._weights.tensors[name].shape == shape

    @property
    def by_key_head(self) -> bool:
        return self._table.by_key_head

    def sorted_numbers(self, role: str, rows: Sequence[Rows]) -> list[mx.array | None]:
        """Returns vectors whose numbers stand in one tensor in an order of its own; None where there is none."""
        if role not in self:
            return [None] * len(rows)
        return self._weights.sorted_numbers(self._name(role), rows)

    def key_value_up(self, role: str, heads: int, sizes: tuple[int, int], rank: int) -> tuple[Weight, Weight]:
        """Returns what takes queries to latents and what makes values of them, from a tensor that makes keys and values
        of so many numbers a head."""
        return self._weights.key_value_up(self._name(role), heads, *sizes, rank)

    def row(self, role: str, size: int) -> Weight:
        """Returns a matrix of one row, which a file may keep as a vector."""
        return self._weights.row(self._name(role), size)

    def vector(self, role: str, size: int, factor: float = 1.0) -> mx.array:
        """``factor``: what every number is multiplied by."""
        return self._weights.vector(self._name(role), size, factor=factor)

    def table(self, role: str, *dims: int, factors: NDArray[np.float32] | None = None) -> mx.array:
        """Returns the numbers of a tensor of these dimensions, the last of which lies side by side, as a vector, each
        times one of ``factors``. Formats differ in dimensions of 1, and in whether the rest are one."""
        times = None if factors is None else lambda numbers: numbers * factors
        return self._weights.table(self._name(role), dims, times)

    def decay(self, role: str, log_role: str, *dims: int) -> mx.array:
        """Returns decays as ``table`` does, which a format keeps as they are or as logarithms of what is negated."""
        if role in self._table.names:
            return self._weights.table(self._name(role), dims)
        return self._weights.table(self._name(log_role), dims, lambda logarithms: -logarithms.exp())

    def norm(self, role: str, size: int, factor: float = 1.0) -> mx.array:
        """Returns the weight of a norm, as it is multiplied by, times ``factor``."""
        if self._table.names[role] == WITHOUT_WEIGHTS:
            return self.ones(size)
        return self._weights.vector(self._name(role), size, self._table.norm_offset, factor)

    def ones(self, size: int) -> mx.array:
        """Returns the weight of a norm that has none."""
        return self._weights.ones(size)

    def bias(self, role: str, size: int, required: Collection[str], experts: int = 0) -> mx.array | None:
        """Returns a bias; None where there is none and it is not among the ``required`` roles. ``experts``: how many
        have one, above one another; 0 for a vector."""
        if role not in required and role not in self:
            return None
        return self._weights.rows_as_vector(self._name(role), experts, size) if experts else self.vector(role, size)

    @property
    def _in_encoder(self) -> bool:
        return self._encoder and self._layer is not None

    def biases(self, roles: Sequence[str], sizes: Sequence[int], required: Collection[str]) -> list[mx.array | None]:
        """Returns the biases of matrices that read the same input, each as ``bias`` does or all one after another in
        one tensor, whose role is that of the fused matrices with ``_bias``."""
        fused = "_".join(role.removesuffix("_bias") for role in roles) + "_bias"
        if fused not in self:
            return [self.bias(role, size, required) for role, size in zip(roles, sizes, strict=True)]
        whole, ends = self.vector(fused, sum(sizes)), accumulate(sizes)
        return [None if whole is None else whole[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    def _name(self, role: str) -> str:
        return self._table.names[role].format(layer=self._layer)
