"""What is said of a model before it is fetched or loaded: what it is, whether it runs and fits here, and how fast."""

from __future__ import annotations

from msgspec import Struct


class TypeShare(Struct, frozen=True):
    """Of one storage type: how many tensors, numbers in them, and bytes in the files."""

    type: str
    tensors: int
    weights: int
    bytes: int


class CacheShare(Struct, frozen=True):
    """What layers of one kind keep of a sequence.

    kind: ``full``, ``window``, ``latent`` or ``state``.
    layers: how many.
    token_bytes: for each token that is kept; 0 for a state.
    sequence_bytes: of a state, whatever the sequence's length; 0 for the others.
    window: tokens that are kept at most; None for all.
    page_type: how keys and values, or latents, are kept: ``16bit``, ``int8``, or either; '' for a state.
    """

    kind: str
    layers: int
    token_bytes: int = 0
    sequence_bytes: int = 0
    window: int | None = None
    page_type: str = ""


class MemoryEstimate(Struct, frozen=True):
    """In bytes.

    weights: as the backend holds them.
    loading: the most that is held while they are read.
    cache: what a sequence of ``context`` tokens needs of the pool.
    working: activations and logits of a step.
    process: the executor's process without a model.
    needed: of all these together what must be there.
    available: what may be taken: what is left, with what ``reclaimable`` says, within ``limit``.
    reclaimable: what loaded models hold that make room for others.
    limit: what ``models.memory_limit`` leaves beside models that are pinned; 0 where nothing limits.
    fits: whether a load is let in.
    context: tokens; 0 for a model that keeps nothing of a sequence.
    fitting_context: the longest context that fits, the model's own at most.
    groups: what is kept, for each kind of layers.
    draft: what the draft model takes that it is loaded with, or a head of its own that drafts, weights and pages.
    """

    weights: int
    loading: int
    cache: int
    working: int
    process: int
    needed: int
    available: int
    fits: bool
    context: int
    fitting_context: int
    groups: list[CacheShare] = []
    reclaimable: int = 0
    limit: int = 0
    draft: int = 0


class DiskEstimate(Struct, frozen=True):
    """Bytes that a pull needs, 0 for what is here, and those that are free where models are kept."""

    needed: int
    free: int
    fits: bool


class AttentionCost(Struct, frozen=True):
    """``operations``: of a token with each that it sees. ``window``: the most that it sees; 0 for all."""

    operations: int
    window: int


class SpeedEstimate(Struct, frozen=True):
    """Expected of one answer at a time.

    tokens_per_second: at the beginning of a context.
    at_context: with ``MemoryEstimate.context`` tokens before.
    tolerance: by how much it may be off, as a part.
    bandwidth: bytes a second that this machine's kernels read weights with, as measured.
    read: bytes of weights that a token needs.
    arithmetic: multiplications and additions a second of products of many rows, as measured; 0 where it is not known.
    operations: multiplications and additions of a token with weights, and ``head_operations`` those among them that
        only a token whose successor is asked for needs.
    attention: what attention adds to them, for each window.
    """

    tokens_per_second: float
    at_context: float
    tolerance: float
    bandwidth: float
    read: int
    arithmetic: float = 0.0
    operations: int = 0
    head_operations: int = 0
    attention: list[AttentionCost] = []


class Estimate(Struct, frozen=True):
    """All of it. Parts that can't be told of a model that does not run here are null.

    model: the name it would have.
    source: what a pull of exactly this takes.
    size: bytes of its files.
    format: ``gguf`` or ``safetensors``.
    architecture: as the files name it.
    nearest: of the architectures that run here, the one that is nearest to one that does not; '' where it does.
    quantization: the name of the mix.
    types: the mix, the type with most bytes first.
    parameters, active_parameters: numbers in its weights, and those of them that a token meets.
    context_length: tokens it was made for.
    capabilities: as a model that is here has them.
    runs: whether a load would take it; ``why`` not, where it would not.
    backend: what would compute it.
    read: bytes that were fetched to say this.
    notes: what else is to be said, a sentence each.
    """

    model: str
    source: str
    size: int
    format: str
    architecture: str
    quantization: str
    parameters: int
    active_parameters: int
    context_length: int
    runs: bool
    backend: str
    disk: DiskEstimate
    why: str = ""
    nearest: str = ""
    capabilities: list[str] = []
    types: list[TypeShare] = []
    memory: MemoryEstimate | None = None
    speed: SpeedEstimate | None = None
    read: int = 0
    notes: list[str] = []
