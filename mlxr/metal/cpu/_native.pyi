"""Types of the native module (``native/module/module.cpp``); ``mlxr.metal.cpu.backend`` documents what its parts do."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

class Matrix:
    @property
    def nbytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...

class Rope:
    def __init__(self, neighbours: bool, inverse_frequencies: list[float], magnitude: float) -> None: ...

class AttentionLayer:
    def __init__(
        self,
        *,
        query: Matrix,
        key: Matrix | None,
        value: Matrix | None,
        output: Matrix,
        gate: Matrix | None,
        head_gates: bool,
        softplus: bool,
        norm: mx.array | None,
        norm_bias: mx.array | None,
        centred: bool,
        query_norm: mx.array | None,
        key_norm: mx.array | None,
        post_norm: mx.array | None,
        query_bias: mx.array | None,
        key_bias: mx.array | None,
        value_bias: mx.array | None,
        output_bias: mx.array | None,
        sinks: mx.array | None,
        heads: int,
        kv_heads: int,
        head_dim: int,
        window: int,
        causal: bool,
        norm_values: bool,
        chunked: bool,
        kv_layer: int,
        rope: Rope | None,
        rope_first: bool,
        temperature: float,
        temperature_length: int,
        temperature_offset: int,
        scale: float,
        norm_eps: float,
        softcap: float,
        alibi: list[float],
    ) -> None: ...

class ExpertsLayer:
    def __init__(
        self,
        *,
        router: Matrix,
        up: Matrix,
        down: Matrix,
        gate: Matrix | None,
        latent_down: Matrix | None,
        latent_up: Matrix | None,
        shared_gate: Matrix | None,
        shared_up: Matrix | None,
        shared_down: Matrix | None,
        shared_router: Matrix | None,
        norm: mx.array | None,
        norm_bias: mx.array | None,
        centred: bool,
        router_bias: mx.array | None,
        choice_bias: mx.array | None,
        gate_bias: mx.array | None,
        up_bias: mx.array | None,
        down_bias: mx.array | None,
        router_norm: mx.array | None,
        shared_norm: mx.array | None,
        expert_scale: mx.array | None,
        shared_post_norm: mx.array | None,
        mixture_post_norm: mx.array | None,
        post_norm: mx.array | None,
        output_scale: mx.array | None,
        experts: int,
        used: int,
        sigmoid: bool,
        normalized: bool,
        scale: float,
        groups: int,
        used_groups: int,
        group_best: int,
        weighs_inputs: bool,
        activation: str,
        norm_eps: float,
        kept: bool,
    ) -> None: ...

class GatedDeltaNetLayer:
    def __init__(
        self,
        *,
        query_key_value: Matrix,
        gate: Matrix,
        alpha: Matrix,
        beta: Matrix,
        output: Matrix,
        convolution: mx.array,
        decay: mx.array,
        alpha_bias: mx.array,
        head_norm: mx.array,
        norm: mx.array,
        key_heads: int,
        value_heads: int,
        key_dim: int,
        value_dim: int,
        taps: int,
        tiled: bool,
        norm_eps: float,
    ) -> None: ...

class Mamba2Layer:
    def __init__(
        self,
        *,
        input: Matrix,
        output: Matrix,
        convolution: mx.array,
        decay: mx.array,
        skip: mx.array,
        step_bias: mx.array,
        norm: mx.array | None,
        gate_norm: mx.array | None,
        input_bias: mx.array | None,
        convolution_bias: mx.array | None,
        output_bias: mx.array | None,
        heads: int,
        head_dim: int,
        groups: int,
        state_size: int,
        taps: int,
        gate_eps: float,
        gate_scale: float,
        output_scale: float,
        least_step: float,
        most_step: float,
        norm_eps: float,
        kept: bool,
    ) -> None: ...

class ShortConvLayer:
    def __init__(
        self,
        *,
        input: Matrix,
        output: Matrix,
        convolution: mx.array,
        norm: mx.array | None,
        input_bias: mx.array | None,
        convolution_bias: mx.array | None,
        output_bias: mx.array | None,
        post_norm: mx.array | None,
        taps: int,
        norm_eps: float,
    ) -> None: ...

class MlpLayer:
    def __init__(
        self,
        *,
        up: Matrix,
        down: Matrix,
        gate: Matrix | None,
        norm: mx.array | None,
        norm_bias: mx.array | None,
        centred: bool,
        post_norm: mx.array | None,
        up_bias: mx.array | None,
        gate_bias: mx.array | None,
        down_bias: mx.array | None,
        output_scale: mx.array | None,
        activation: str,
        norm_eps: float,
        kept: bool,
        layer: int = -1,
    ) -> None: ...

class LatentLayer:
    def __init__(
        self,
        *,
        query_down: Matrix | None,
        query: Matrix,
        latent: Matrix,
        key_up: Matrix,
        value_up: Matrix,
        output: Matrix,
        norm: mx.array | None,
        query_norm: mx.array | None,
        latent_norm: mx.array,
        heads: int,
        rank: int,
        plain_dims: int,
        rope_dims: int,
        value_dims: int,
        rope: Rope | None,
        temperature: float = 0,
        temperature_length: int = 0,
        temperature_offset: int = 0,
        scale: float,
        norm_eps: float,
        latent_eps: float,
    ) -> None: ...

class PerLayerEmbedding:
    def __init__(
        self, *, table: Matrix, projection: Matrix, norm: mx.array, norm_eps: float, table_scale: float
    ) -> None: ...

class PerLayerInput:
    def __init__(
        self,
        *,
        gate: Matrix,
        output: Matrix,
        post_norm: mx.array,
        output_scale: mx.array | None,
        activation: str,
        norm_eps: float,
        layer: int,
    ) -> None: ...

class Linear:
    def __init__(self, *, matrix: Matrix, bias: mx.array | None) -> None: ...

class Norm:
    def __init__(self, *, weight: mx.array, bias: mx.array | None, centred: bool, eps: float) -> None: ...

class Head:
    def __init__(
        self,
        *,
        matrix: Matrix,
        norm: mx.array,
        norm_bias: mx.array | None,
        centred: bool,
        norm_eps: float,
        bias: mx.array | None,
        softcap: float,
    ) -> None: ...

class LowRank:
    def __init__(self, down: Floats, up: Floats, scaling: float) -> None: ...
    @property
    def nbytes(self) -> int: ...

class Adapter:
    def __init__(self, parts: list[tuple[int, LowRank]]) -> None: ...

class AdapterRows:
    def __init__(self, stacks: list[list[tuple[Adapter, float]]], owners: Ints) -> None: ...

class Batch:
    def __init__(
        self,
        *,
        query_starts: Ints,
        context_lengths: Ints,
        positions: Ints,
        groups: list[tuple[Ints, Ints, int]],
        adapters: AdapterRows | None = None,
        outputs: Ints | None = None,
    ) -> None: ...

class Pool:
    def __init__(self, *, file: int = -1, offset: int = 0) -> None:
        """``file``: a descriptor of a file in memory, whose bytes from ``offset`` on, a multiple of 2 MB, are the
        pages; -1 for memory of the process's own. Each group takes whole 2 MB of it."""
    def add_keys_and_values(
        self,
        *,
        layers: list[int],
        pages: int,
        page_size: int,
        kv_heads: int,
        head_dim: int,
        int8_keys: bool = False,
        int8_values: bool = False,
    ) -> None: ...
    def add_latents(
        self, *, layers: list[int], pages: int, page_size: int, numbers: int, int8: bool = False
    ) -> None: ...
    def add_states(self, *, layers: list[int], pages: int, numbers: int) -> None: ...
    def copy_page(self, group: int, source: int, target: int) -> None: ...
    def parts(self, group: int) -> list[NDArray[np.uint8]]:
        """Of each layer and part, all pages' bytes ``[pages, bytes]``; views."""
    def discard(self, group: int, first: int) -> None: ...

class SamplingRows:
    def __init__(
        self,
        *,
        temperature: Floats,
        top_k: Ints,
        top_p: Floats,
        min_p: Floats,
        typical_p: Floats,
        repetition: Floats,
        presence: Floats,
        frequency: Floats,
        uniform: Floats,
        history: Ints | None,
        generated: NDArray[np.bool_] | None,
        bias_rows: Ints | None,
        bias_tokens: Ints | None,
        bias_values: Floats | None,
        forbidden: Callable[[list[int]], list[tuple[int, Ints]]] | None,
        logprobs: int,
    ) -> None: ...

class Program: ...

class Engine:
    def __init__(self, threads: int = 0, isa: str | None = None) -> None: ...
    @property
    def threads(self) -> int: ...
    def use(self, threads: int) -> None: ...
    @property
    def isa(self) -> str: ...
    def has_int16(self, cols: int) -> bool: ...
    def reading(self) -> float: ...
    def products(self) -> float: ...
    def pack_int16(self, rows: int, cols: int, data: Floats) -> Matrix: ...
    def pack(
        self,
        type: str,
        rows: int,
        cols: int,
        data: NDArray[np.uint8],
        scale: Floats | None = None,
        scale_rows: int = 0,
        scale_cols: int = 0,
        absmax: Floats | None = None,
        absmax_block: int = 0,
        map: Floats | None = None,
        pause: Callable[[], None] | None = None,
    ) -> Matrix: ...

def keys_and_values_bytes(
    *,
    layers: int,
    pages: int,
    page_size: int,
    kv_heads: int,
    head_dim: int,
    int8_keys: bool = False,
    int8_values: bool = False,
) -> int: ...
def latents_bytes(*, layers: int, pages: int, page_size: int, numbers: int, int8: bool = False) -> int: ...
def states_bytes(*, layers: int, pages: int, numbers: int) -> int: ...
def embed(engine: Engine, tokens: mx.array, table: Matrix, scale: float) -> mx.array: ...
def linear(engine: Engine, x: mx.array, linear: Linear) -> mx.array: ...
def norm(engine: Engine, x: mx.array, norm: Norm) -> mx.array: ...
def attention(
    engine: Engine, x: mx.array, layer: AttentionLayer, batch: Batch, pool: Pool | None, index: int
) -> mx.array: ...
def keep(engine: Engine, x: mx.array) -> mx.array: ...
def latent_attention(
    engine: Engine, x: mx.array, layer: LatentLayer, batch: Batch, pool: Pool | None, index: int
) -> mx.array: ...
def short_conv(
    engine: Engine, x: mx.array, layer: ShortConvLayer, batch: Batch, pool: Pool | None, index: int
) -> mx.array: ...
def mamba2(
    engine: Engine, x: mx.array, layer: Mamba2Layer, batch: Batch, pool: Pool | None, index: int
) -> mx.array: ...
def gated_delta_net(
    engine: Engine, x: mx.array, layer: GatedDeltaNetLayer, batch: Batch, pool: Pool | None, index: int
) -> mx.array: ...
def mlp(engine: Engine, x: mx.array, layer: MlpLayer, batch: Batch | None = None) -> mx.array: ...
def per_layer_embedding(engine: Engine, x: mx.array, tokens: mx.array, embedding: PerLayerEmbedding) -> mx.array: ...
def per_layer_input(engine: Engine, x: mx.array, layer: PerLayerInput) -> mx.array: ...
def experts(engine: Engine, x: mx.array, layer: ExpertsLayer) -> mx.array: ...
def logits(engine: Engine, x: mx.array, rows: mx.array, head: Head) -> mx.array: ...
def record(engine: Engine, x: mx.array) -> Program | None: ...
def replay(engine: Engine, program: Program, tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array: ...
def sample(engine: Engine, logits: mx.array, rows: SamplingRows) -> list[mx.array]: ...
def token_logprobs(engine: Engine, logits: mx.array, tokens: mx.array, alternatives: int) -> list[mx.array]: ...
def barrier(engine: Engine, pool: Pool) -> list[mx.array]: ...
def isas() -> list[str]: ...
def available_threads() -> int: ...
