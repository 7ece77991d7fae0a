"""Attention over pages: contexts of several lengths, in pages of random order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlxr.metal.gpu import attention
from mlxr.metal.gpu.attention import Heads
from tests.metal.gpu.case import Case, Values, values
from tests.metal.gpu.emulated import Array

PAGE = 16


@dataclass(frozen=True)
class Step:
    """``inputs`` of ``attention.PREFILL``, as far as ``scaling``; ``sinks``; ``starts``: each sequence's first row, and
    the number of rows."""

    inputs: list[Array]
    sinks: Array
    starts: list[int]
    expected: Values


def packed(numbers: np.ndarray, heads: Heads, at: int) -> tuple[Array, Values]:
    """Returns rows ``[slots, kv_heads, dims]`` as pages have them, and the numbers these are."""
    if heads.dtype != "uint8" or not heads.blocks[at]:
        array = Array.of(numbers, "float16" if heads.dtype == "uint8" else heads.dtype)
        return array, values(array)
    block, dims = heads.blocks[at], numbers.shape[-1]
    parts = numbers.reshape(*numbers.shape[:-1], dims // block, block)
    scales = (np.abs(parts).max(-1) / 127).astype(np.float16)
    with np.errstate(invalid="ignore"):  # what is no number has a scale that is none
        codes = np.clip(np.rint(parts / scales[..., None].astype(np.float32)), -127, 127).astype(np.int8)
    rows = np.zeros((*numbers.shape[:-1], heads.widths[at]), np.uint8)
    rows[..., :dims] = codes.reshape(numbers.shape).view(np.uint8)
    rows[..., dims : dims + 2 * (dims // block)] = scales.view(np.uint8).reshape(*numbers.shape[:-1], -1)
    return Array.of(rows), (codes * scales[..., None].astype(np.float64)).reshape(numbers.shape)


def unpacked(rows: Array, heads: Heads, at: int) -> Values:
    """Returns the numbers of rows that ``packed`` made."""
    if rows.dtype != "uint8":
        return values(rows)
    block, dims = heads.blocks[at], heads.key_dims if at == 0 else heads.value_dims
    codes = rows.bits[..., :dims].view(np.int8).astype(np.float64)
    scales = np.ascontiguousarray(rows.bits[..., dims : dims + 2 * (dims // block)]).view(np.float16)
    numbers: Values = codes * np.repeat(scales.astype(np.float64), block, axis=-1)
    return numbers


def slots_of(heads: Heads, table: np.ndarray, position: int) -> np.ndarray:
    """Returns where the keys are that a query at ``position`` sees."""
    first = 0
    if heads.window:
        chunk = position // heads.window * heads.window
        first = chunk if heads.chunked else max(0, position - heads.window + 1)
    seen = np.arange(first, position + 1)
    slots: np.ndarray = table[seen // PAGE] * PAGE + seen % PAGE
    return slots


def step_of(heads: Heads, lengths: list[tuple[int, int]], sunk: bool, scale: float, softcap: float) -> Step:
    """``lengths``: of each sequence its context and how many rows it has, the last of the context."""
    rng = np.random.default_rng(heads.key_dims + len(lengths))
    pages_each = [-(-context // PAGE) for context, _ in lengths]
    order = rng.permutation(sum(pages_each) + 2)
    tables = np.zeros((len(lengths), max(max(pages_each), 8)), np.int32)
    for at, pages in enumerate(pages_each):
        tables[at, :pages], order = order[:pages], order[pages:]
    slots = (sum(pages_each) + 2) * PAGE
    drawn = rng.standard_normal((2, slots, heads.kv_heads, heads.key_dims)).astype(np.float32)
    sequences = np.repeat(np.arange(len(lengths)), [rows for _, rows in lengths]).astype(np.int32)
    positions = np.concatenate([np.arange(context - rows, context) for context, rows in lengths]).astype(np.int32)
    if heads.dtype != "uint8":  # what no row sees may be others'
        unseen = np.ones(slots, bool)
        for sequence, position in zip(sequences, positions, strict=True):
            unseen[slots_of(heads, tables[sequence], position)] = False
        drawn[:, unseen] = np.nan
    key_pages, key_numbers = packed(drawn[0], heads, 0)
    latent = heads.key_dims != heads.value_dims
    value_pages, value_numbers = (key_pages, key_numbers) if latent else packed(drawn[1], heads, 1)
    queries = Array.of(rng.standard_normal((len(positions), heads.heads, heads.key_dims), np.float32))
    sinks = rng.standard_normal(heads.heads).astype(np.float32) if sunk else np.full(heads.heads, -np.inf, np.float32)

    outs = []
    for row, (sequence, position) in enumerate(zip(sequences, positions, strict=True)):
        where = slots_of(heads, tables[sequence], position)
        for head in range(heads.heads):
            kv_head = head // heads.group
            scores = key_numbers[where, kv_head] @ values(queries)[row, head] * scale
            if softcap:
                scores = softcap * np.tanh(scores / softcap)
            top = max(scores.max(), sinks[head])
            weights = np.exp(scores - top)
            total = weights.sum() + np.exp(sinks[head] - top)
            outs.append(weights @ value_numbers[where, kv_head, : heads.value_dims] / total)
    expected = np.array(outs).reshape(len(positions), heads.heads, heads.value_dims)
    scaling = Array.of(np.array([scale, softcap], np.float32))
    indices = [Array.of(tables), Array.of(sequences), Array.of(positions)]
    starts = [0, *np.cumsum([rows for _, rows in lengths]).tolist()]
    return Step([queries, key_pages, value_pages, *indices, scaling], Array.of(sinks), starts, expected)


def prefill_case(name: str, heads: Heads, lengths: list[tuple[int, int]], sunk: bool = False) -> Case:
    step = step_of(heads, lengths, sunk, heads.key_dims**-0.5, 5.0 if heads.softcap else 0.0)
    each = heads.tokens_at_once
    tiles = [
        (row, min(each, end - row))
        for begin, end in zip(step.starts, step.starts[1:], strict=False)
        for row in range(begin, end, each)
    ]
    return Case(
        f"{attention.PREFILL.name} {name}",
        attention.PREFILL,
        attention.prefill(len(step.expected), heads, PAGE, len(tiles)),
        [*step.inputs, step.sinks, Array.of(np.array(tiles, np.int32))],
        lambda: [step.expected],
        (2e-5,),
    )


def attention_cases() -> list[Case]:
    plain = Heads(4, 2, 64, 64, "float16", (64, 64))
    capped = Heads(3, 1, 80, 80, "bfloat16", (80, 80), window=20, softcap=True)
    chunked = Heads(2, 2, 64, 64, "float16", (64, 64), window=32, chunked=True)
    large = Heads(2, 1, 512, 512, "float16", (512, 512))
    latent = Heads(4, 1, 288, 256, "float16", (288, 288))
    codes = Heads(4, 2, 64, 64, "uint8", (80, 80))
    return [
        prefill_case("ragged, with sinks", plain, [(40, 23), (5, 5), (70, 1)], sunk=True),
        prefill_case("in a window, capped", capped, [(50, 30), (12, 12)]),
        prefill_case("in chunks", chunked, [(70, 40)]),
        prefill_case("of latents", latent, [(19, 9)]),
        prefill_case("of codes", codes, [(40, 17), (3, 3)]),
        prefill_case("of 512", large, [(20, 3)]),
    ]
