"""What the kernel knows of each of its layers: products, where queries, keys and values are, the choice of experts; and
what follows from it: whether the kernel computes such layers, how many at once, and the memory that they take."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.gpu.affine_matmul import MOST_NORMED_COLUMNS, STRIP, Shape
from mlxr.metal.gpu.attention import StepShape
from mlxr.metal.gpu.experts import EXPERTS_EACH
from mlxr.metal.specs import Activation

MOST_ROWS = 8
MOST_SHARED = 48 << 10
HEADER = 8
"""Numbers that a layer's constants begin with."""
PARAMETER_BYTES, POINTER = 4096, 8


@dataclass(frozen=True)
class Projection:
    """One product of queries, keys or values, or several of them above one another."""

    shape: Shape
    biased: bool


@dataclass(frozen=True)
class Place:
    """Where queries, keys or values are: from output ``at`` on of projection ``number``."""

    number: int
    at: int


@dataclass(frozen=True)
class Routing:
    """The choice of a mixture's experts, as ``experts.router`` takes it."""

    experts: int
    used: int
    sigmoid: bool
    normalized: bool
    biased: bool
    choice_biased: bool

    @property
    def blocks(self) -> int:
        """How many a grid must have at least."""
        return self.experts // EXPERTS_EACH


@dataclass(frozen=True)
class LayerShape:
    """What the kernel knows of each of its layers. ``gates`` and ``down``: None where it computes the first half, and
    with ``routing`` the choice of experts behind it."""

    step: StepShape
    projections: tuple[Projection, ...]
    places: tuple[Place, Place, Place]
    output: Projection
    gates: Projection | None
    down: Projection | None
    activation: Activation
    routing: Routing | None = None

    @property
    def width(self) -> int:
        return self.output.shape.outputs

    @property
    def hidden(self) -> int:
        return 0 if self.down is None else self.down.shape.columns

    @property
    def products(self) -> tuple[Projection, ...]:
        behind = [part for part in (self.gates, self.down) if part is not None]
        return *self.projections, self.output, *behind

    @property
    def pointers(self) -> int:
        """Arrays of a layer: of each matrix codes, scales and biases; keys and values."""
        return 3 * len(self.products) + 2

    @property
    def constants(self) -> int:
        """Numbers of a layer: see ``kernel``."""
        biases = sum(product.shape.outputs for product in self.products if product.biased)
        spec = self.step.spec
        norms = 2 * spec.head_dim if self.step.normed else 0
        return HEADER + (1 if self.gates is None else 2) * self.width + biases + 4 + norms + self.sinks

    @property
    def sinks(self) -> int:
        """With what fills them up to a multiple of 4."""
        return -(-self.step.spec.heads // 4) * 4 if self.step.sinks else 0

    @property
    def fits(self) -> bool:
        """Whether the kernel computes such layers; scales and the page's numbers aside."""
        spec = self.step.spec
        return (
            self.step.fits
            and self.step.own_keys
            and spec.head_dim <= 256
            and self.step.group * spec.head_dim <= 1024
            and all(product.shape.fits for product in self.products)
            and (self.gates is None or self.gates.shape.outputs % (2 * STRIP) == 0)
            and self.width <= MOST_NORMED_COLUMNS
            and self.shared(1) <= MOST_SHARED
        )

    def shared(self, layers: int) -> int:
        """Returns how many bytes of shared memory a block takes, at most."""
        spec = self.step.spec
        sums = 2 * 8 * 2 * 128 * 4
        attention = 16 * (spec.head_dim + 8) + 32 * self.step.group * spec.head_dim + 1024
        return max(2 * self.width + sums, attention) + 8 * layers * self.pointers + 256

    def scratch(self, splits: int, layout: int) -> int:
        """Numbers of 32 bits that lie between phases, with so many ``splits`` in all rows and numbers of the layout."""
        spec = self.step.spec
        projected = sum(product.shape.outputs for product in self.projections)
        halves = MOST_ROWS * (self.width + projected + spec.heads * spec.head_dim + self.hidden)
        logits = 0 if self.routing is None else MOST_ROWS * self.routing.experts
        return halves // 2 + logits + splits * spec.heads * (spec.head_dim + 2) + layout

    def most_layers(self) -> int:
        """As many as one kernel takes, by what its parameters and its table have room for."""
        if self.gates is None:
            return 1
        others = 10 * POINTER + 64
        by_parameters = (PARAMETER_BYTES - others) // POINTER // self.pointers
        by_shared = (MOST_SHARED - self.shared(0)) // (POINTER * self.pointers)
        return min(by_parameters, by_shared)
