"""Dense layers by one kernel: what the kernels of each part give one after another, to the bit."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from mlxr.metal.gpu import affine_matmul, attention, decoder_layer, experts, rms_norm
from mlxr.metal.gpu.affine_matmul import Epilogue, Shape
from mlxr.metal.gpu.attention import StepShape
from mlxr.metal.gpu.decoder_layer import Tuning
from mlxr.metal.gpu.decoder_layer.layer_shape import LayerShape, Place, Projection, Routing
from mlxr.metal.gpu.kernel import Kernel, Language, Launch
from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, Rope, RopeStyle
from tests.metal.gpu import emulated
from tests.metal.gpu.affine_cases import affine_matrix
from tests.metal.gpu.case import Case, Values
from tests.metal.gpu.emulated import Array

EPS, PAGE, BLOCKS = 1e-5, 16, 3
GAINS = (1.0, 1 / 16, 16.0)


class Layers:
    """Random layers of one shape, their pages, and a step of sequences at ``positions``."""

    def __init__(self, shape: LayerShape, layers: int, positions: list[int]) -> None:
        self.shape, self.count, self.rows = shape, layers, len(positions)
        self._rng = rng = np.random.default_rng(len(positions))
        self.matrices = [[self._matrix(product) for product in shape.products] for _ in range(layers)]
        self.norms = [rng.uniform(0.5, 1.5, (2, shape.width)).astype(np.float32) for _ in range(layers)]
        self.biases = [
            [rng.standard_normal(of.shape.outputs * of.biased).astype(np.float32) for of in shape.products]
            for _ in range(layers)
        ]
        spec = shape.step.spec
        norms = rng.uniform(0.5, 1.5, 2 * spec.head_dim * shape.step.normed)
        sinks = rng.standard_normal(shape.sinks)
        self.step = np.concatenate([[EPS, spec.scale, spec.softcap, 0], norms, sinks]).astype(np.float32)
        self.x = rng.standard_normal((self.rows, shape.width)).astype(np.float32)
        at = np.array(positions, np.int32)
        each = at // PAGE + 1
        order = rng.permutation(int(each.sum()))
        tables = np.zeros((self.rows, int(each.max())), np.int32)
        for row, pages in enumerate(each):
            tables[row, :pages], order = order[:pages], order[pages:]
        slots = tables[np.arange(self.rows), at // PAGE] * PAGE + at % PAGE
        pairs = shape.step.pairs
        turns = rng.uniform(0, 100, (self.rows, pairs))
        angles = np.concatenate([np.cos(turns), np.sin(turns)], 1).astype(np.float32)
        layout = np.concatenate([at[:, None] + 1, slots[:, None], angles.view(np.int32), tables], 1)
        self.layout = layout.astype(np.int32)
        rows = int(each.sum()) * PAGE, spec.kv_heads, spec.head_dim
        self.pages = [[rng.standard_normal(rows).astype(np.float16) for _ in "kv"] for _ in range(layers)]
        self.router: list[Array] = []
        if shape.routing is not None:
            count, norm = shape.routing.experts, rng.uniform(0.5, 1.5, shape.width)
            matrix = Array.of(rng.standard_normal((count, shape.width)), "float16")
            constants = np.concatenate([[EPS, 1.5, 0, 0], norm, *rng.standard_normal((2, count))])
            self.router = [matrix, Array.of(constants, "float32")]
        self.splits = shape.step.splits(at + 1)

    def _matrix(self, product: Projection) -> list[Array]:
        arrays, weights = affine_matrix(product.shape)
        # Of the size that keeps rows as large as they were.
        by = np.float16(1 / np.sqrt((weights**2).mean() * product.shape.columns))
        own = self._rng.permutation(product.shape.outputs)
        if product.shape.bits == 16:
            return [Array.of((arrays[0].bits * by)[own]), *arrays[1:]]
        return [Array.of(arrays[0].bits[own]), *(Array.of((array.bits * by)[own]) for array in arrays[1:])]

    def constants(self, layer: int) -> Values:
        count = len(self.shape.projections)
        projected, (output, *behind) = self.biases[layer][:count], self.biases[layer][count:]
        header = [EPS, EPS, *GAINS, 0, 0, 0]
        first, second = self.norms[layer]
        return np.concatenate([header, first, *projected, self.step, output, *([second, *behind] if behind else [])])

    def case(self, name: str, tuning: Tuning, blocks: int = BLOCKS) -> Case:
        shape = self.shape
        kernel = decoder_layer.kernel(shape, self.count, tuning.blocks)
        arrays = [part for matrices in self.matrices for matrix in matrices for part in matrix]
        arrays += [Array.of(page) for pages in self.pages for page in pages]
        scratch = np.full(shape.scratch(self.splits * self.rows, self.layout.size), np.nan, np.float32)
        inputs = [
            Array.of(self.x),
            Array.of(self.layout),
            Array.of(np.concatenate([self.constants(layer) for layer in range(self.count)]), "float32"),
            Array.of(np.zeros(decoder_layer.STATE_WORDS, np.uint32)),
            Array.of(scratch),
            Array.of(np.zeros(max(8, self.rows * shape.step.spec.heads), np.uint32)),
            Array.of(np.zeros(4, np.int32)),
            *([*self.router, Array.of(np.zeros(4, np.int32))] if self.router else []),
            *arrays,
        ]

        def seen(outputs: list[Array]) -> list[Array]:
            routed = outputs[2 : 2 + self.routes]
            out, _, state, _, tickets, *pages = outputs[:2] + outputs[2 + self.routes :]
            assert not tickets.bits.any()
            assert not (state.bits % 4096).any()
            assert not (state.bits[1:] >> 31).any()
            return [out, *routed, *pages]

        pages = 2 * self.count
        launch = decoder_layer.launch(self.rows, shape, self.count, blocks, tuning)
        return Case(
            f"{kernel.name} {name}",
            kernel,
            launch,
            inputs,
            lambda: self.one_after_another,
            (0.0,) * (1 + self.routes + pages),
            seen,
        )

    @property
    def routes(self) -> int:
        """How many results a choice of experts has."""
        return 3 if self.router else 0

    @cached_property
    def one_after_another(self) -> list[Values]:
        """By the kernels that this one is made of."""
        x, pages = self.x, []
        for layer in range(self.count):
            count = len(self.shape.projections)
            projections, (output, *behind) = self.matrices[layer][:count], self.matrices[layer][count:]
            products = list(zip(self.shape.products, self.biases[layer], strict=True))
            of_projections, (of_output, *of_behind) = products[:count], products[count:]
            normed = self._normed(x, self.norms[layer][0])
            outs = [
                self._multiplied(normed, of, matrix) for of, matrix in zip(of_projections, projections, strict=True)
            ]
            attended, *written = self._attended(outs, layer)
            pages += written
            x = self._multiplied(attended, of_output, output, Epilogue.RESIDUAL, GAINS[0], x)
            if behind:
                (of_gates, of_down), (gates, down) = of_behind, behind
                normed = self._normed(x, self.norms[layer][1])
                hidden = self._multiplied(normed, of_gates, gates, Epilogue.GATED, GAINS[1])
                x = self._multiplied(hidden, of_down, down, Epilogue.RESIDUAL, GAINS[2], x)
        return [part.astype(np.float64) for part in (x, *self._routed(x), *pages)]

    def _routed(self, x: Values) -> list[Values]:
        routing = self.shape.routing
        if routing is None:
            return []
        spec = ExpertsSpec(Activation.SILU, routing.experts, routing.used)
        launch = experts.router(*x.shape, spec, biased=True, choice_biased=True)
        counts = [Array.of(np.zeros(2, np.uint32)), Array.of(np.zeros(1, np.int32))]
        return _run(experts.ROUTER, launch, [Array.of(x), *self.router, *counts])[:3]

    def _normed(self, x: Values, weight: Values) -> Values:
        constants = Array.of(np.concatenate([[EPS, 0, 0, 0], weight]), "float32")
        return _run(rms_norm.KERNEL, rms_norm.launch(*x.shape), [Array.of(x), constants])[0]

    def _multiplied(
        self,
        x: Values,
        of: tuple[Projection, Values],
        matrix: list[Array],
        epilogue: Epilogue = Epilogue.PLAIN,
        gain: float = 1.0,
        residual: Values | None = None,
    ) -> Values:
        product, bias = of
        launch = affine_matmul.launch(self.rows, product.shape, epilogue, self.shape.activation, biased=product.biased)
        constants = Array.of(np.concatenate([[gain, 0, 0, 0], bias]), "float32")
        added = Array.of(np.zeros(1, np.float32) if residual is None else residual)
        return _run(affine_matmul.KERNEL, launch, [Array.of(x), *matrix, constants, added])[0]

    def _attended(self, outs: list[Values], layer: int) -> list[Values]:
        places = self.shape.places
        launch = attention.step(self.rows, self.shape.step, self.splits, tuple(place.at for place in places))
        zeros = [np.zeros(max(8, self.rows * self.shape.step.spec.heads), np.uint32), np.zeros(4, np.int32)]
        inputs = [*(outs[place.number] for place in places), self.layout, self.step, *self.pages[layer], *zeros]
        out, _, _, keys, new, _ = _run(attention.STEP, launch, list(map(Array.of, inputs)))
        return [out, keys, new]


def _run(kernel: Kernel, launch: Launch, inputs: list[Array]) -> list[Any]:
    return [array.bits for array in emulated.run(kernel, launch, inputs, language=Language.CUDA)]


def shape_of(
    spec: AttentionSpec,
    width: int,
    hidden: int,
    bits: tuple[int, ...] = (4, 4, 4, 4),
    *,
    biased: bool = False,
    normed: bool = False,
    sunk: bool = False,
) -> LayerShape:
    """``bits``: of the projections, one or two, of which the second is values; of the output, of gates and of what is
    behind them."""
    sizes = [spec.heads * spec.head_dim, *[spec.kv_heads * spec.head_dim] * 2]
    *projected, output, gates, down = bits
    outputs = [sum(sizes)] if len(projected) == 1 else [sizes[0] + sizes[1], sizes[2]]
    places = [Place(0, 0), Place(0, sizes[0]), Place(0, sizes[0] + sizes[1])]
    if len(projected) == 2:
        places[2] = Place(1, 0)
    return LayerShape(
        StepShape(spec, PAGE, normed, True, sunk),
        tuple(Projection(Shape(count, width, of, 32), biased) for count, of in zip(outputs, projected, strict=True)),
        (places[0], places[1], places[2]),
        Projection(Shape(width, sizes[0], output, 32), biased),
        Projection(Shape(2 * hidden, width, gates, 32), biased),
        Projection(Shape(width, hidden, down, 32), biased),
        Activation.SILU,
    )


def decoder_layer_cases() -> list[Case]:
    neox = AttentionSpec(2, 1, 64, 64**-0.5, Rope(RopeStyle.NEOX, (1.0,) * 32))
    normal = AttentionSpec(2, 1, 128, 128**-0.5, Rope(RopeStyle.NORMAL, (1.0,) * 48), window=300)
    mixed = shape_of(normal, 192, 64, (4, 8, 16, 4, 8), biased=True, normed=True, sunk=True)
    routed = replace(mixed, gates=None, down=None, routing=Routing(8, 3, False, True, True, True))
    wide = shape_of(replace(neox, heads=4), 256, 256, (4, 8, 4, 4, 8))
    return [
        Layers(wide, 1, [20]).case("of one row, by runs", Tuning()),
        Layers(wide, 2, [20, 5, 31]).case("of several, by runs", Tuning()),
        Layers(shape_of(neox, 64, 64), 2, [20]).case("of one row", Tuning(), 2),
        Layers(replace(shape_of(neox, 64, 64), gates=None, down=None), 1, [20]).case("of one row's half", Tuning(), 2),
        Layers(routed, 1, [5, 300, 31]).case("of the halves of some rows", Tuning()),
        Layers(mixed, 2, [5, 700, 31]).case("of several, of every kind", Tuning(plain_strips=2, gated_strips=4)),
    ]
