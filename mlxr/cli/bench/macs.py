"""The limit on paper for Macs, as the page ``docs/macs.md``: ``python -m mlxr.cli.bench.macs > docs/macs.md``. Pure.

Bytes and operations are counted from the kernels' launches (``mlxr.metal.gpu``); no Mac is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlxr.cli.bench.result import Bound
from mlxr.cli.bench.roofline import STREAMS, Work, decode, prefill
from mlxr.metal.gpu import affine_matmul, attention
from mlxr.metal.gpu.affine_matmul import Epilogue, Shape
from mlxr.metal.gpu.affine_matmul import on_metal as products_on_metal
from mlxr.metal.gpu.attention import StepShape
from mlxr.metal.gpu.attention import on_metal as attention_on_metal
from mlxr.metal.gpu.kernel import Launch
from mlxr.metal.specs import AttentionSpec, Rope, RopeStyle
from mlxr.metal.tensors import BLOCKS, TensorType

TOKEN_SECONDS, FIRST_SECONDS, SAMPLE_SECONDS = 0.080, 1.0, 0.020
"""What people hold to be fast enough: a token and a first token of 7 to 8 B at 4 bits, an embedding."""

CONTEXT, LONG_CONTEXT = 512, 2048
SAMPLES = (128, 512)


@dataclass(frozen=True, slots=True)
class Mac:
    """The largest part of its name. ``bandwidth``: GB/s; ``teraflops``: of float32."""

    name: str
    bandwidth: float
    cores: int
    teraflops: float


MACS = (
    Mac("M2", 100, 10, 3.6),
    Mac("M2 Pro", 200, 19, 6.84),
    Mac("M2 Max", 400, 38, 13.68),
    Mac("M2 Ultra", 800, 76, 27.36),
    Mac("M3", 100, 10, 4.1),
    Mac("M3 Pro", 150, 18, 7.38),
    Mac("M3 Max", 400, 40, 16.4),
    Mac("M3 Ultra", 819, 80, 32.8),
    Mac("M4", 120, 10, 4.6),
    Mac("M4 Pro", 273, 20, 9.2),
    Mac("M4 Max", 546, 40, 18.4),
    Mac("M5", 153, 10, 4.6),
    Mac("M5 Pro", 307, 20, 9.2),
    Mac("M5 Max", 614, 40, 18.4),
)

LAYERS, WIDTH, HIDDEN, VOCABULARY, HEADS, KV_HEADS, HEAD_DIM = 32, 4096, 14_336, 128_256, 32, 8, 128
"""Llama 3 8B."""


@dataclass(frozen=True, slots=True)
class Product:
    """Of a layer: a matrix, and what the kernel does besides."""

    name: str
    outputs: int
    columns: int
    epilogue: Epilogue
    normed: bool


PRODUCTS = (
    Product("norm, q, k, v", (HEADS + 2 * KV_HEADS) * HEAD_DIM, WIDTH, Epilogue.PLAIN, normed=True),
    Product("o, residual", WIDTH, HEADS * HEAD_DIM, Epilogue.RESIDUAL, normed=False),
    Product("norm, gate, up, activation", 2 * HIDDEN, WIDTH, Epilogue.GATED, normed=True),
    Product("down, residual", WIDTH, HIDDEN, Epilogue.RESIDUAL, normed=False),
)

HEAD = (VOCABULARY, WIDTH)
BITS, GROUP = 4, 32
"""What Q4_K is held as: codes of 4 bits, a scale and a bias of 16 for each 32."""
PAGE_SIZE = 16

ENCODER_LAYERS, ENCODER_WIDTH, ENCODER_HIDDEN = 12, 768, 3072
"""BERT base, in 16 bits."""


def weight_bytes(outputs: int, columns: int) -> int:
    values, size = BLOCKS[TensorType.Q4_K]
    return outputs * columns // values * size


def code_bytes(outputs: int, columns: int) -> int:
    """As the mlx backend holds them."""
    return outputs * columns * BITS // 8 + outputs * columns // GROUP * 4


def llama() -> Bound:
    """Returns bytes and operations of the model, all of whose matrices are Q4_K; speeds are each Mac's."""
    matrices = [*((product.outputs, product.columns) for product in PRODUCTS * LAYERS), HEAD]
    return Bound(
        bandwidth=0.0,
        weights=sum(weight_bytes(*matrix) for matrix in matrices),
        groups=((LAYERS * 2 * KV_HEADS * HEAD_DIM * 2, 0, 0),),
        operations=2 * sum(outputs * columns for outputs, columns in matrices),
        head_operations=2 * VOCABULARY * WIDTH,
        attention=((LAYERS * 4 * HEADS * HEAD_DIM, 0),),
    )


def embedding(tokens: int) -> Work:
    """Returns the work of one sample alone, every token of which sees every other."""
    numbers = ENCODER_LAYERS * (4 * ENCODER_WIDTH**2 + 2 * ENCODER_WIDTH * ENCODER_HIDDEN)
    attended = ENCODER_LAYERS * 4 * ENCODER_WIDTH * tokens**2
    return Work(2 * numbers, 2 * numbers * tokens + attended, tokens)


def seconds(work: Work, mac: Mac) -> float:
    return work.seconds(mac.bandwidth * 1e9, mac.teraflops * 1e12)


def longest_prompt(mac: Mac) -> int:
    """Returns the most tokens of a prompt whose answer may begin within ``FIRST_SECONDS``, down to a multiple of 32."""
    tokens = 32
    while seconds(prefill(llama(), tokens + 32), mac) <= FIRST_SECONDS:
        tokens += 32
    return tokens


def dispatches() -> int:
    """Returns those of a decoder layer at few rows: its products, and attention with the rope and the page write."""
    return len(PRODUCTS) + 1


def _held(found: float, target: float, text: str) -> str:
    return text if found <= target else f"**{text}**"


def _mac_rows() -> list[str]:
    model, rows = llama(), []
    for mac in MACS:
        token = seconds(decode(model, CONTEXT, 1), mac)
        many = STREAMS / seconds(decode(model, CONTEXT, STREAMS), mac)
        first = [seconds(prefill(model, tokens), mac) for tokens in (CONTEXT, LONG_CONTEXT)]
        samples = [seconds(embedding(tokens), mac) for tokens in SAMPLES]
        cells = [
            mac.name,
            f"{mac.bandwidth:g}",
            str(mac.cores),
            f"{mac.teraflops:.1f}",
            _held(token, TOKEN_SECONDS, f"{token * 1e3:.1f}"),
            f"{many:,.0f}",
            *(_held(found, FIRST_SECONDS, f"{found:.2f}") for found in first),
            f"{longest_prompt(mac):,}",
            *(_held(found, SAMPLE_SECONDS, f"{found * 1e3:.1f}") for found in samples),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _kernel_row(what: str, kernel: str, launch: Launch, nbytes: int, asked: int, operations: int) -> str:
    groups = math.prod(-(-size // each) for size, each in zip(launch.grid, launch.threadgroup, strict=True))
    return f"| {what} | {kernel} | {groups:,} | {nbytes / 1e6:.2f} | {asked / 1e6:.2f} | {operations / 1e6:,.1f} |"


def _kernel_rows(rows: int) -> list[str]:
    """A line for each kernel of a layer, of ``rows`` sequences at ``CONTEXT``."""
    found = [_product_row(product, rows) for product in PRODUCTS]
    rope = Rope(RopeStyle.NEOX, (1.0,) * (HEAD_DIM // 2))
    shape = StepShape(AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, rope), PAGE_SIZE, False, True, False)
    splits = attention_on_metal.splits(shape, np.array([CONTEXT], np.int32))
    launch = attention_on_metal.step(rows, shape, splits, (0, 0, 0))
    pages = rows * 2 * 2 * KV_HEADS * HEAD_DIM * CONTEXT
    beside = rows * 2 * (2 * HEADS + 2 * KV_HEADS) * HEAD_DIM
    partial = rows * 2 * 4 * HEADS * splits * (HEAD_DIM + 2)  # written, and read by the last of them
    operations = rows * 4 * HEADS * HEAD_DIM * CONTEXT
    name = attention.STEP.name
    found.insert(
        1,
        _kernel_row("rope, page write, attention", name, launch, pages + beside, pages + beside + partial, operations),
    )
    return found


def _product_row(product: Product, rows: int) -> str:
    outputs, columns = product.outputs, product.columns
    shape = Shape(outputs, columns, BITS, GROUP)
    launch = products_on_metal.launch(rows, shape, product.epilogue, normed=product.normed)
    weights = code_bytes(outputs, columns)
    x = rows * columns * (4 if product.normed else 2) + (4 * columns if product.normed else 0)
    units = math.prod(launch.shapes[0])
    out = units * (8 if product.epilogue is Epilogue.RESIDUAL else 2)
    # Each simdgroup that has rows of the matrix of its own reads all of x, with the one that shares its columns.
    asked = weights + launch.grid[0] // launch.threadgroup[0] * products_on_metal.QUADS * x + out
    name = affine_matmul.KERNEL.name
    return _kernel_row(product.name, name, launch, weights + x + out, asked, 2 * rows * outputs * columns)


def page() -> str:
    """Returns the page."""
    model = llama()
    head = (
        f"| | GB/s | GPU cores | TFLOPS | ms a token at {CONTEXT} | tok/s, {STREAMS} streams "
        f"| s to the first of {CONTEXT} | of {LONG_CONTEXT:,} | longest prompt within 1 s "
        f"| ms a sample of {SAMPLES[0]} | of {SAMPLES[1]} |"
    )
    return PAGE.format(
        gigabytes=model.weights / 1e9,
        gigaflop=model.operations / 1e9,
        macs="\n".join([head, "|" + "---|" * 11, *_mac_rows()]),
        one="\n".join(_kernel_rows(1)),
        rows=products_on_metal.MOST_ROWS,
        some="\n".join(_kernel_rows(products_on_metal.MOST_ROWS)),
        context=CONTEXT,
        dispatches=dispatches(),
        milliseconds=dispatches() * LAYERS / 1e3,
    )


PAGE = """\
# The limit on paper for Macs

`python -m mlxr.cli.bench.macs > docs/macs.md` writes this page. **Nothing in it was measured on a Mac**: it says what
no program can beat, from bytes, operations and what is published. `mlxr bench --roofline` measures the machine it runs
on, and says how much of its bound a model reaches.

A step takes at least as long as reading its bytes once and as computing its operations, whichever is longer. Llama 3 8B
with all matrices as Q4_K reads {gigabytes:.2f} GB of weights and computes {gigaflop:.1f} GFLOP a token; embeddings are
BERT base's (110 M, 16 bits), one sample alone. **Bold** is slower, also on paper, than what people hold to be fast
enough: 80 ms a token, 1 s to the first token, 20 ms a sample.

{macs}

Each line is the largest part of its name; those with fewer cores are slower in proportion. There is no M4 Ultra, and
no M5 Ultra is known to this page. Bandwidth and cores are Apple's, from its announcements. Of TFLOPS (float32) Apple
published the M2's, 3.6; the M3's and M4's, 4.1 and 4.6, are Hugging Face's
([pull request 1044](https://github.com/huggingface/huggingface.js/pull/1044)). Larger parts have as many more as they
have cores. The M5's are taken as the M4's, core by core: an assumption, and without its Neural Accelerators (Apple:
more than four times the M4's peak for AI), which these kernels do not use. With them a prompt's bound would be some
four times as high.

## What the kernels of a layer ask for
A dense layer of up to {rows} sequences that run a token each is **{dispatches} dispatches**. `MB` is what must move
once, with Q4_K as codes of 4 bits and a scale and a bias for each 32 (5 bits a weight, where the file has 4.5); `asked`
is all that the kernel's threads read and write, of which caches must serve the difference: every simdgroup reads x.
`groups` are threadgroups. Contexts have {context} tokens.

| one sequence | kernel | groups | MB | asked | MFLOP |
|---|---|---|---|---|---|
{one}

| {rows} sequences | kernel | groups | MB | asked | MFLOP |
|---|---|---|---|---|---|
{some}

Each microsecond that a dispatch costs adds {milliseconds:.2f} ms to every token; what it costs on a Mac has not been
measured. Prompts go by MLX's own kernels.
"""


if __name__ == "__main__":
    print(page(), end="")
