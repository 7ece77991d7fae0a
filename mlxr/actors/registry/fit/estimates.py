"""Estimates for clients of a server, whose engines would make way for what is asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anyio import to_thread

from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.fit.load_needs import LoadNeeds
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine_memory import measured
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS
from mlxr.api.estimate import Estimate
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.late_import import late_import
from mlxr.runtime.messages.registry import EstimateModel
from mlxr.runtime.paths import Home

_DRY_RUN = "mlxr.actors.registry.fit.dry_run"
"""Knows all sources of models, which a load does without."""


@dataclass(frozen=True, slots=True)
class DraftCost:
    """Says what the draft model takes that a model is loaded with."""

    needs: LoadNeeds
    drafts: DraftModels

    async def of(self, entry: CatalogueEntry) -> int:
        """Returns bytes, 0 for none; what is wrong with its name, the load says."""
        try:
            return await self.needs.drafting(await self.drafts.of(entry.engine_spec(), entry.blob.size))
        except ModelNotFound:
            return 0


@dataclass(frozen=True, slots=True)
class Estimates:
    """Says what a pull or a load would come to.

    settings: of the executors that would load it.
    policy: knows which engines run, and which of them would make way.
    registry: where names without an address lead.
    needs, drafts: know what the draft model takes that a model here is loaded with, and which that is.
    """

    home: Home
    store: Store
    reader: MetadataReader
    settings: ExecutorSettings
    policy: EnginePolicy
    registry: str
    needs: LoadNeeds
    drafts: DraftModels

    async def of(self, message: EstimateModel) -> Estimate:
        """Raises as ``DryRun.estimate``."""
        yielding = [engine for engine in self.policy.engines.running() if not engine.fixed]
        held = await to_thread.run_sync(measured, yielding)
        pinned = sum(engine.takes - engine.spare for engine in self.policy.engines.running() if engine.fixed)
        dry_run = await late_import(_DRY_RUN)
        look = dry_run.DryRun(
            self.home,
            self.store,
            self.reader,
            self.settings,
            replace(DEFAULT_LIMITS, public_only=message.remote),
            registry=RegistryAt(self.registry, message.insecure),
            reclaimable=sum(each.bytes for each in held),
            memory_limit=max(self.policy.memory - pinned, 1),
            draft_bytes=DraftCost(self.needs, self.drafts).of,
        )
        estimate: Estimate = await look.estimate(message.name, message.context_length)
        return estimate
