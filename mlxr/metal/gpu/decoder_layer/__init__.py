"""Dense layers, any number of alike ones after another, in a step of one token a sequence: norm and projections,
attention with the write to pages, output product and residual, norm and gates, the product behind them. Or of one
layer the first half, which ends with the residual or, of a mixture, with the choice of experts as ``experts/router``
makes it.

All in one kernel, on CUDA alone: its blocks, all of which have a place on the device at once, wait for each other
between two phases (``grid.cuh``). Metal promises no such places, and so has no twin. What is computed, and in which
order numbers are added up, is as ``affine_matmul/few_rows``, ``rms_norm`` and ``attention/step`` have it, whose
functions these phases are: a row's results are the same bits, in any company and with either.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.gpu.affine_matmul import ACTIVATIONS, TILE, Shape
from mlxr.metal.gpu.decoder_layer.layer_shape import MOST_ROWS, LayerShape, Projection, Routing
from mlxr.metal.gpu.kernel import Kernel, Language, Launch

THREADS = 256
STATE_WORDS = 128
"""Of what blocks meet by: zeros before the first grid, left to the next. The word ``MILD`` is not zero where a grid
without its place on the device may end with wrong results, and then ``BROKEN`` is not; else the kernel fails."""
MILD, BROKEN = 64, 96
ROUTER, ROUTED = ("router", "router_constants", "mixed"), ("normed", "chosen", "shares")


@dataclass(frozen=True)
class LayersKernel(Kernel):
    """``LAYER_ARRAYS(put)`` stands before its body: ``put(i, NAME)`` for each of the layers' arrays."""

    arrays: tuple[str, ...] = ()
    routes: bool = False

    def body(self, language: Language) -> str:
        put = " ".join(f"put({index}, {name})" for index, name in enumerate(self.arrays))
        routed = ", ".join((*ROUTER[:2], *ROUTED) if self.routes else ["nullptr"] * 5)
        return (
            f"#define LAYER_ARRAYS(put) {put}\n#define ROUTED {routed}\n"
            f"{super().body(language)}#undef ROUTED\n#undef LAYER_ARRAYS\n"
        )


def kernel(shape: LayerShape, layers: int, blocks: int) -> LayersKernel:
    """``x`` float32 ``[rows, width]``; ``layout``, ``tickets`` and ``before`` as ``attention.STEP`` has them, of all
    layers; ``constants`` float32 ``[layers, shape.constants]``: epsilons of both norms, gains of the output product, of
    gates and of what is behind them, three that are not used; the norm's weights and the projections' biases;
    ``attention.STEP``'s constants, sinks filled up to a multiple of 4; the output's bias; the other norm's weights;
    the gates' biases, and the last product's, none of the last three in a first half; ``state`` uint32
    ``[STATE_WORDS]``; ``scratch`` float32 ``[shape.scratch(...)]``; then each layer's matrices as ``affine_matmul`` has
    them, and each one's keys and values. ``out`` float32 ``[rows, width]``. ``blocks``: of a processor. Where it
    routes, ``router``, ``router_constants``, ``mixed``, ``normed``, ``chosen`` and ``shares`` are as ``experts.ROUTER``
    has them, ``mixed`` its ``done``."""
    routes = shape.routing is not None
    matrices = [f"{part}_{index}" for index in range(len(shape.products)) for part in ("codes", "scales", "biases")]
    arrays = tuple(f"layer_{layer}_{name}" for layer in range(layers) for name in (*matrices, "keys", "values"))
    pages = tuple(name for name in arrays if name.endswith(("_keys", "_values")))
    weights = tuple(name for name in arrays if name not in pages)
    return LayersKernel(
        "decoder_layer/layers",
        (
            "x",
            "layout",
            "constants",
            "state",
            "scratch",
            "tickets",
            "before",
            *(ROUTER if routes else ()),
            *weights,
            *pages,
        ),
        ("out", "done", *(ROUTED if routes else ())),
        (
            "affine_matmul/layout",
            "affine_matmul/tiles",
            "affine_matmul/few_rows",
            "attention/step",
            "experts/router",
            "decoder_layer/grid",
            "decoder_layer/products",
            "decoder_layer/layers",
        ),
        writes=("state", "scratch", "tickets", *pages),
        bounds=(THREADS, blocks),
        arrays=arrays,
        routes=routes,
    )


@dataclass(frozen=True)
class Tuning:
    """How a grid is laid out, by measurement on an H100.

    Attributes:
        blocks: of a processor.
        plain_strips: strips of 16 outputs that a block multiplies at once.
        gated_strips: likewise of a gated product, half of them gates.
    """

    blocks: int = 2
    plain_strips: int = 1
    gated_strips: int = 2


TUNING = Tuning()


def grid_blocks(processors: int, tuning: Tuning = TUNING) -> int:
    """Returns how many blocks a grid has on a device of so many processors. Matrices have multiples of a power of 2 of
    strips: some processors that idle cost less than some that have one strip more."""
    even = processors // 16 * 16
    return tuning.blocks * (even if even >= 0.96 * processors else processors)


def launch(rows: int, shape: LayerShape, layers: int, blocks: int, tuning: Tuning = TUNING) -> Launch:
    """``blocks``: of the whole grid, at least ``rows``, all of which have a place at once."""
    assert 1 <= rows <= MOST_ROWS <= TILE
    assert shape.fits
    assert blocks >= max(rows, 0 if shape.routing is None else shape.routing.blocks)
    template: list[tuple[str, str | int | bool]] = [
        *shape.step.template((0, 0, 0))[:-3],
        ("LAYERS", layers),
        ("ROWS", 1 if rows == 1 else MOST_ROWS),
        ("WIDTH", shape.width),
        ("HIDDEN", shape.hidden),
        ("ACTIVATION", ACTIVATIONS[shape.activation]),
        ("PLAIN_STRIPS", tuning.plain_strips),
        ("GATED_STRIPS", tuning.gated_strips),
        ("CONSTANTS_EACH", shape.constants),
    ]
    none = Projection(Shape(0, shape.width, 4, 32), False)
    gates, down = shape.gates or none, shape.down or none
    projections = [*shape.projections, *[none] * (3 - len(shape.projections))]
    names = ("FIRST", "SECOND", "THIRD", "OUTPUT", "GATES", "DOWN")
    for name, product in zip(names, (*projections, shape.output, gates, down), strict=True):
        template += [
            (f"{name}_BITS", product.shape.bits),
            (f"{name}_GROUP", product.shape.group),
            (f"{name}_BIASED", product.biased),
        ]
    template += [(f"{name}_OUTPUTS", of.shape.outputs) for name, of in zip(names, projections, strict=False)]
    for name, place in zip(("QUERIES", "KEYS", "VALUES"), shape.places, strict=True):
        outputs = [product.shape.outputs for product in projections]
        template += [
            (f"{name}_BEFORE", sum(outputs[: place.number])),
            (f"{name}_EACH", outputs[place.number]),
            (f"{name}_AT", place.at),
        ]
    routing = shape.routing or Routing(0, 1, False, False, False, False)
    template += [
        ("EXPERTS", routing.experts),
        ("USED", routing.used),
        ("SIGMOID", routing.sigmoid),
        ("NORMALIZED", routing.normalized),
        ("ROUTER_BIASED", routing.biased),
        ("CHOICE_BIASED", routing.choice_biased),
    ]
    chosen = [] if shape.routing is None else [(rows, shape.width), *[(rows, routing.used)] * 2]
    return Launch(
        template=tuple(template),
        grid=(THREADS * blocks, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, shape.width), (4,), *chosen),
        dtypes=("float32", "int32", "float16", "int32", "float32")[: 2 + len(chosen)],
    )
