"""The estimate itself: values in, values out."""

from __future__ import annotations

from typing import NamedTuple

from mlxr.actors.executor.draft_sizes import head_bytes
from mlxr.actors.executor.memory_need import ENGINE_BYTES, memory_need
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.metadata.header_findings import HeaderFindings
from mlxr.api.estimate import AttentionCost, CacheShare, DiskEstimate, Estimate, MemoryEstimate, SpeedEstimate
from mlxr.metal.cache import CacheGroup
from mlxr.metal.machine import Machine
from mlxr.metal.pool import PoolSpec
from mlxr.metal.tensors import TensorType
from mlxr.models.footprint import Footprint
from mlxr.models.page_types import described
from mlxr.runtime.messages.kv import CacheKind

TYPICAL_CONTEXT = 8192
"""Tokens that are estimated for where nobody says how many: what most conversations stay within."""

CACHED = TensorType.F16
"""Keys and values are read about as fast as weights of this type."""

STEP_SECONDS = 0.00025
"""What a step takes beside the model: planning, sampling, and the way of a token to its reader."""

LOGIT_SECONDS = 2e-9
"""What drawing a token takes for each that there is."""

TOLERANCE = 0.25
"""By how much speeds were off on a machine that had nothing else to do, and some more."""


class Room(NamedTuple):
    """Memory for one more model, in bytes.

    available: what the system, or the device, has left.
    reclaimable: what loaded models hold that make room for others.
    limit: what ``models.memory_limit`` leaves beside models that are pinned; 0 where nothing limits.
    draft: what a draft model takes of that.
    """

    available: int
    reclaimable: int = 0
    limit: int = 0
    draft: int = 0

    @property
    def most(self) -> int:
        """What a load may come to."""
        there = self.available + self.reclaimable
        return min(there, self.limit) if self.limit else there


def memory_estimate(
    footprint: Footprint, machine: Machine, settings: ExecutorSettings, room: Room, context: int = 0
) -> MemoryEstimate:
    """Returns what a load needs with a ``context``, 0 for the one that is configured or a typical one."""
    footprint = footprint.typed(settings.kv.page_type)
    available = room.most
    wished = context or settings.executor.context_length or TYPICAL_CONTEXT
    sizes = settings.pool_sizes(footprint.context_length, available, machine.step_tokens)
    drafting = room.draft
    if not drafting and settings.mtp:
        drafting = head_bytes(footprint, settings.kv.page_size, machine.sizes)
        if not memory_need(footprint, sizes, machine.sizes, wished, available - ENGINE_BYTES - drafting).fits:
            drafting = 0  # A load goes without.
    left = available - ENGINE_BYTES - drafting
    need = memory_need(footprint, sizes, machine.sizes, wished, left)
    fitting = memory_need(footprint, sizes, machine.sizes, footprint.context_length, left)
    return MemoryEstimate(
        weights=need.weights,
        loading=need.loading,
        cache=need.cache,
        working=need.working,
        process=ENGINE_BYTES,
        needed=need.needed + ENGINE_BYTES + drafting,
        draft=drafting,
        available=available,
        fits=need.fits,
        context=need.context,
        fitting_context=fitting.fitting_context,
        groups=[_share(group, machine, settings.kv.page_size) for group in footprint.groups],
        reclaimable=room.reclaimable,
        limit=room.limit,
    )


def speed_estimate(footprint: Footprint, machine: Machine, memory: MemoryEstimate) -> SpeedEstimate | None:
    """Returns the expected speed of a model that generates text; None for one that does not."""
    if not footprint.groups or not machine.rates:
        return None
    beside = footprint.operations * machine.begin_seconds + footprint.vocabulary * LOGIT_SECONDS + STEP_SECONDS
    seconds = sum(nbytes / machine.rate(type) for type, nbytes in footprint.reads.items()) + beside
    kept = sum(_kept_bytes(share, memory.context) for share in memory.groups)
    return SpeedEstimate(
        tokens_per_second=1 / seconds,
        at_context=1 / (seconds + kept / machine.rate(CACHED)),
        tolerance=TOLERANCE,
        bandwidth=machine.bandwidth,
        read=footprint.read,
        arithmetic=machine.arithmetic,
        operations=2 * footprint.read_numbers,
        head_operations=2 * footprint.vocabulary * footprint.width,
        attention=[AttentionCost(operations, window) for operations, window in footprint.attention],
    )


def estimate(
    looked: HeaderFindings,
    machine: Machine,
    settings: ExecutorSettings,
    room: Room,
    disk: DiskEstimate,
    *,
    model: str,
    source: str,
    size: int,
    context: int = 0,
    read: int = 0,
    notes: list[str] | None = None,
) -> Estimate:
    """Returns all that is said of a model whose headers were ``looked`` at."""
    info, footprint = looked.info, looked.footprint
    memory = memory_estimate(footprint, machine, settings, room, context) if footprint else None
    speed = speed_estimate(footprint, machine, memory) if footprint and memory else None
    return Estimate(
        model=model,
        source=source,
        size=size,
        format=info.format,
        architecture=info.architecture,
        nearest=looked.nearest,
        quantization=info.quantization,
        types=looked.types,
        parameters=info.parameters,
        active_parameters=_active(info.parameters, footprint),
        context_length=info.context_length,
        capabilities=info.capabilities,
        runs=not info.unusable,
        why=info.unusable,
        backend=machine.backend,
        disk=disk,
        memory=memory,
        speed=speed,
        read=read,
        notes=notes or [],
    )


def _active(parameters: int, footprint: Footprint | None) -> int:
    if footprint is None or not footprint.experts:
        return parameters
    return parameters - (footprint.numbers - footprint.read_numbers)


def _share(group: CacheGroup, machine: Machine, page_size: int) -> CacheShare:
    layers = len(group.layers)
    if group.kind is CacheKind.STATE:
        one = machine.sizes.pool(PoolSpec.even((group,), 1, page_size))
        return CacheShare(group.kind.value, layers, sequence_bytes=one)
    page = machine.sizes.pool(PoolSpec.even((group,), 1, page_size))
    return CacheShare(
        group.kind.value,
        layers,
        token_bytes=page // page_size,
        window=group.window,
        page_type=described((group,)),
    )


def _kept_bytes(share: CacheShare, tokens: int) -> int:
    """What computing one token reads of what is kept of ``tokens`` before it; of a state twice, as it is written."""
    return share.token_bytes * min(tokens, share.window or tokens) + 2 * share.sequence_bytes
