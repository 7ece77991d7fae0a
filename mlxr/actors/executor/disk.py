"""The disk of one engine: what its pages depend on, and where they lie."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable
from importlib.metadata import version

import msgspec

from mlxr.actors.executor.page_files import PageFiles
from mlxr.actors.executor.page_listing import About
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.quota import folder_of, quota_of
from mlxr.actors.kv.disk.segment import FORMAT
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.runtime.messages.common import Message
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.executor")

CONTENTS_BYTES = 16


def page_contents(content: str, backend: Backend, spec: PoolSpec | None) -> list[str]:
    """Returns whatever the bytes of a page depend on beside tokens and adapters: what is in the model's files
    (``EngineSpec.content``), who computes with which code, and how a page is laid out. How many pages there are is left
    out."""
    layout = [f"{part.group!r} {part.page_size}" for part in spec.groups] if spec is not None else []
    packages = [f"{name} {version(name)}" for name in ("mlxr", "mlx")]
    return [content, backend.name, backend.arithmetic, *packages, *layout]


def contents_digest(contents: list[str]) -> bytes:
    """``contents``: as ``page_contents`` returns them."""
    return hashlib.blake2b("\0".join([str(FORMAT), *contents]).encode(), digest_size=CONTENTS_BYTES).digest()


def open_disk(
    settings: ExecutorSettings,
    backend: Backend,
    pool: Pool,
    contents: list[str],
    epoch: int,
    answer: Callable[[Message], None],
    wake: Callable[[], None],
    shared: SharedPool | None = None,
) -> PageFiles | None:
    """Returns what reads and writes an engine's segments; None where there is to be nothing on disk, or the model's
    files can't be told from others. ``shared``: as in ``PageFiles``."""
    if not settings.kv.disk or not settings.content:
        return None
    digest = contents_digest(contents)
    about = About(contents, math.gcd(*(part.page_size for part in pool.spec.groups)))
    try:
        root = folder_of(Home.find().kv, settings.kv.disk_path)
        folder = SegmentFolder(root, digest, quota_of(root, settings.kv.disk_bytes), msgspec.json.encode(about))
    except (OSError, RuntimeError) as error:
        log.warning("pages of conversations can't be kept in %s: %s", settings.kv.disk_path or "the home", error)
        return None
    sizes = [backend.page_bytes(pool, group) for group in range(len(pool.spec.groups))]
    return PageFiles(folder, digest, sizes, epoch, answer, wake, shared=shared)
