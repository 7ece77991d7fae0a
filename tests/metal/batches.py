"""Ragged batches over shuffled pages, for tests of any backend."""

from __future__ import annotations

import numpy as np

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import NumberType, attention_group, cache_groups
from mlxr.metal.pool import PoolSpec


def ragged(lengths: list[int], done: list[int], page_size: int, pages: int, seed: int = 0) -> Batch:
    """Sequence i has ``done[i]`` tokens in its pages already and runs ``lengths[i]`` more; no page is shared."""
    contexts = [before + now for before, now in zip(done, lengths, strict=True)]
    free = np.random.default_rng(seed).permutation(pages).astype(np.int32).tolist()
    owned = [[free.pop() for _ in range(-(-context // page_size))] for context in contexts]
    tables = np.zeros((len(lengths), max((len(own) for own in owned), default=0)), np.int32)
    for index, own in enumerate(owned):
        tables[index, : len(own)] = own
    spans = [np.arange(before, context) for before, context in zip(done, contexts, strict=True)]
    slots = [tables[i, span // page_size] * page_size + span % page_size for i, span in enumerate(spans)]
    return Batch(
        query_starts=np.cumsum([0, *lengths]).astype(np.int32),
        context_lengths=np.array(contexts, np.int32),
        positions=np.concatenate(spans).astype(np.int32),
        groups=(GroupTables(np.concatenate(slots).astype(np.int32), tables, page_size),),
    )


HALF, INT8 = NumberType.HALF, NumberType.INT8
Types = tuple[NumberType, NumberType]


def pool_spec(
    layers: int, pages: int, page_size: int, kv_heads: int, head_dim: int, types: Types = (HALF, HALF)
) -> PoolSpec:
    """A pool of one group: layers that keep all keys and values, as these ``types``."""
    groups = cache_groups(attention_group(layer, kv_heads, head_dim).typed(*types) for layer in range(layers))
    return PoolSpec.even(groups, pages, page_size)
