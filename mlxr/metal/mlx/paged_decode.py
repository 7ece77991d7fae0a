"""Attention of sequences that run one token each, straight from the pool: a kernel for CUDA, where MLX's own takes no
mask for single queries and plain operations cost more on the host than on the GPU.

A block of 8 warps computes one sequence's query heads of one key head. A key's numbers are spread over ``DIMS / 16``
lanes; softmax is computed online (Milakov and Gimelshein 2018), and the warps' parts are put together at the end. Each
sequence's sums depend on its own length alone.
"""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.gpu.metal_kernel import maker
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.pages import Layer
from mlxr.metal.specs import AttentionSpec

THREADS = 256

SHARED_FLOATS = 10_000
"""Of the 48 KiB of shared memory that every block may have, what the warps' parts may take."""

SOURCE = """
    constexpr int LANES = DIMS / 16, TOKENS = 32 / LANES, WARPS = 8;
    __shared__ float parts[WARPS][SHARED * DIMS], most[WARPS][SHARED], sums[WARPS][SHARED];
    int head = blockIdx.x, sequence = blockIdx.y, length = lengths[sequence];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, token = lane / LANES, begin = lane % LANES * 16;
    float query[SHARED][16], sum[SHARED][16], maximum[SHARED], total[SHARED];
    for (int g = 0; g < SHARED; ++g) {
        auto from = queries + sequence * queries_strides[0] + (head * SHARED + g) * queries_strides[1];
        for (int i = 0; i < 16; ++i) {
            query[g][i] = __half2float(from[(begin + i) * queries_strides[2]]) * scale[0];
            sum[g][i] = 0;
        }
        maximum[g] = -1e30f;
        total[g] = 0;
    }
    int first = WINDOW ? max(0, length - WINDOW) : 0;
    for (int base = first + warp * TOKENS; base < length; base += WARPS * TOKENS) {
        bool known = base + token < length;
        int at = known ? base + token : length - 1;
        int slot = tables[sequence * tables_shape[1] + at / PAGE] * PAGE + at % PAGE;
        size_t row = (size_t(slot) * HEADS + head) * DIMS + begin;
        uint4 packed[4];
        packed[0] = ((const uint4*)(all_keys + row))[0];
        packed[1] = ((const uint4*)(all_keys + row))[1];
        packed[2] = ((const uint4*)(all_values + row))[0];
        packed[3] = ((const uint4*)(all_values + row))[1];
        float key[16], value[16];
        for (int i = 0; i < 8; ++i) {
            float2 pair = __half22float2(((__half2*)packed)[i]);
            key[2 * i] = pair.x, key[2 * i + 1] = pair.y;
            pair = __half22float2(((__half2*)(packed + 2))[i]);
            value[2 * i] = pair.x, value[2 * i + 1] = pair.y;
        }
        for (int g = 0; g < SHARED; ++g) {
            float score = 0;
            for (int i = 0; i < 16; ++i) score += query[g][i] * key[i];
            for (int step = 1; step < LANES; step *= 2) score += __shfl_xor_sync(~0u, score, step);
            if (!known) score = -1e30f;
            float higher = max(maximum[g], score);
            float kept = exp2f(maximum[g] - higher), weight = known ? exp2f(score - higher) : 0.0f;
            for (int i = 0; i < 16; ++i) sum[g][i] = sum[g][i] * kept + weight * value[i];
            total[g] = total[g] * kept + weight;
            maximum[g] = higher;
        }
    }
    for (int g = 0; g < SHARED; ++g) {
        for (int step = LANES; step < 32; step *= 2) {
            float other = __shfl_xor_sync(~0u, maximum[g], step), higher = max(maximum[g], other);
            float mine = exp2f(maximum[g] - higher), theirs = exp2f(other - higher);
            total[g] = total[g] * mine + __shfl_xor_sync(~0u, total[g], step) * theirs;
            for (int i = 0; i < 16; ++i)
                sum[g][i] = sum[g][i] * mine + __shfl_xor_sync(~0u, sum[g][i], step) * theirs;
            maximum[g] = higher;
        }
        if (token == 0)
            for (int i = 0; i < 16; ++i) parts[warp][g * DIMS + begin + i] = sum[g][i];
        if (lane == 0) most[warp][g] = maximum[g], sums[warp][g] = total[g];
    }
    __syncthreads();
    for (int at = threadIdx.x; at < SHARED * DIMS; at += WARPS * 32) {
        int g = at / DIMS;
        float higher = -1e30f, result = 0, whole = 0;
        for (int w = 0; w < WARPS; ++w) higher = max(higher, most[w][g]);
        for (int w = 0; w < WARPS; ++w) {
            float weight = exp2f(most[w][g] - higher);
            result += parts[w][at] * weight;
            whole += sums[w][g] * weight;
        }
        out[(size_t(sequence) * HEADS + head) * SHARED * DIMS + at] = __float2half(result / whole);
    }
"""


class PagedDecode:
    """For layers of one ``AttentionSpec``; see ``fits``."""

    def __init__(self, spec: AttentionSpec) -> None:
        self._spec = spec
        self._scale = mx.array([spec.scale * 1.4426950408889634])  # scores are exponents of 2
        self._kernel = maker("cuda")(
            "paged_decode",
            ["queries", "all_keys", "all_values", "tables", "lengths", "scale", "done"],
            ["out"],
            SOURCE,
            ensure_row_contiguous=False,
        )

    @staticmethod
    def fits(spec: AttentionSpec, sinks: mx.array | None) -> bool:
        """Whether the kernel can compute such layers."""
        lanes, shared = spec.head_dim // 16, spec.heads // spec.kv_heads
        whole = spec.head_dim % 16 == 0 and lanes in (1, 2, 4, 8, 16, 32)
        small = shared <= 8 and 8 * shared * (spec.head_dim + 2) <= SHARED_FLOATS
        return whole and small and spec.causal and not spec.softcap and not spec.chunked and sinks is None

    def __call__(
        self, queries: mx.array, stored: Layer, tables: mx.array, lengths: mx.array, page_size: int
    ) -> mx.array:
        """``queries`` ``[B, heads, head_dim]``, ``tables`` int32 ``[B, P]``, ``lengths`` int32 ``[B]``: 16-bit
        ``[B, heads * head_dim]``."""
        spec, count = self._spec, queries.shape[0]
        template = [
            ("DIMS", spec.head_dim),
            ("HEADS", spec.kv_heads),
            ("SHARED", spec.heads // spec.kv_heads),
            ("PAGE", page_size),
            ("WINDOW", spec.window),
        ]
        out: mx.array
        (out,) = self._kernel(
            inputs=[queries, stored.keys, stored.values, tables, lengths, self._scale, stored.done],
            template=template,
            grid=(THREADS * spec.kv_heads, count, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(count, spec.heads * spec.head_dim)],
            output_dtypes=[HALF],
        )
        return out
