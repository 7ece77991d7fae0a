"""Settings of one engine's executor: two sections of the configuration, and the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from mlxr.models.page_type_setting import PageType
from mlxr.runtime.config import NotNegative, Section, about
from mlxr.runtime.engine_spec import DraftFiles

if TYPE_CHECKING:
    from mlxr.actors.executor.pool_size import PoolSizes


class ExecutorSection(Section, frozen=True):
    """``[executor]``."""

    backend: Annotated[
        Literal["auto", "mlx", "cpu", "reference"],
        about("auto, mlx (MLX's kernels, for GPUs), cpu (native ones), reference (plain MLX operations)"),
    ] = "auto"
    threads: Annotated[NotNegative, about("0: as many as the process may use")] = 0
    context_length: Annotated[NotNegative, about("0: the model's own")] = 0


class KVSection(Section, frozen=True):
    """``[kv]``."""

    page_size: Annotated[Annotated[int, Meta(ge=1, le=256)], about("tokens a page")] = 32
    pool_tokens: Annotated[
        NotNegative, about("tokens all sequences may hold together; 0: as many as memory_fraction allows")
    ] = 0
    memory_fraction: Annotated[
        Annotated[float, Meta(gt=0, le=0.9)],
        about("of the memory left at load (models.memory_limit), at most so much for the pool"),
    ] = 0.25
    page_type: Annotated[
        PageType,
        about("keys and values: auto (what is safe for the model), 16bit (f16), int8 (half the memory)"),
    ] = "auto"
    disk: Annotated[bool, about("keep pages of conversations on disk, for their next turns")] = True
    disk_path: Annotated[str, about("empty: HOME/kv; servers may share it")] = ""
    disk_bytes: Annotated[
        NotNegative, about("of all files there; 0: 8 GiB, or a tenth of what the disk has free if that is less")
    ] = 0
    shared_memory: Annotated[
        bool, about("pages outlive processes that are killed, in memory (Linux, cpu; needs disk)")
    ] = True


class ExecutorSettings(Struct, frozen=True):
    """As the supervisor hands them over.

    path: the model's file or folder.
    identity, content: as in ``EngineSpec``.
    longest_row: tokens of one sequence that a step may hold; 0 for what suits the device.
    memory_bytes: what weights and pages may take, 0 for no limit.
    own_process: whether the executor runs in a process of its own.
    drafts: as in ``EngineSpec``.
    mtp: whether heads of the model's own draft, where no other model does.
    """

    path: str
    identity: str = ""
    executor: ExecutorSection = ExecutorSection()
    kv: KVSection = KVSection()
    longest_row: int = 0
    memory_bytes: int = 0
    own_process: bool = True
    content: str = ""
    drafts: list[DraftFiles] = []
    mtp: bool = False

    def pool_sizes(self, context_length: int, budget: int, step_tokens: int) -> PoolSizes:
        """Returns what decides how large the pool is of a model with so long a context. ``budget``: in bytes.
        ``step_tokens``: as in ``Backend``."""
        # The command line, too, reads settings, and has no use for what pools are made of.
        from mlxr.actors.executor.pool_size import PoolSizes
        from mlxr.actors.kv.disk.saving import COPIED_BYTES

        wished = self.executor.context_length
        return PoolSizes(
            page_size=self.kv.page_size,
            tokens=self.kv.pool_tokens,
            context_length=context_length,
            budget=budget,
            longest_row=self.longest_row or step_tokens,
            least=min(wished, context_length) if wished else 0,
            staging=COPIED_BYTES if self.kv.disk else 0,
        )
