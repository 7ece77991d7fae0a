"""Checks of where pages of conversations are kept: whether they can be, and whether a next turn will find them."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from mlxr.actors.executor.pool_files.left import left_files
from mlxr.actors.executor.settings import KVSection
from mlxr.actors.kv.disk.quota import folder_of, quota_of
from mlxr.actors.kv.disk.shared_folder import all_files
from mlxr.cli.checks.finding import Finding, ok, warn
from mlxr.models.sizes import readable
from mlxr.runtime.paths import Home

CHECK = "pages on disk"
ELSEWHERE = "mlxr config set kv.disk_path FOLDER  (one that you can write to)"
LITTLE = 256 << 20
"""A conversation of some thousand tokens takes as much with a small model."""


def on_disk(home: Home, section: KVSection) -> Finding:
    """Where pages lie, how many bytes of how many, and what is in the way."""
    if not section.disk:
        mend = "mlxr config set kv.disk true"
        return warn(CHECK, "they are off (kv.disk): conversations are computed anew after a restart", mend)
    try:
        root = folder_of(home.kv, section.disk_path)
        nearest = next(above for above in (root, *root.parents) if above.exists())
        usage = shutil.disk_usage(nearest)
        kept = sum(file.bytes for file in all_files(root)) if root.is_dir() else 0
        quota = quota_of(root, section.disk_bytes)
        left = sum(file.bytes for file in left_files(root))
    except (OSError, RuntimeError) as refusal:
        where = section.disk_path or str(home.kv)
        return warn(CHECK, f"{where} can't be looked at ({_why(refusal)}): none can be kept", ELSEWHERE)
    if blocked := _blocked(root, nearest):
        return blocked
    if root.is_dir() and root.stat().st_mode & 0o022:
        text = f"others on this machine can write to {root}, and so change what models answer"
        return warn(CHECK, text, f"chmod 700 {shlex.quote(str(root))}")
    text = f"{readable(kept)} of {readable(quota)} in {root}, {readable(usage.free)} free there"
    if quota < LITTLE:
        makes_room = f"df {shlex.quote(str(nearest))}  (make room on that disk)"
        mend = f"mlxr config set kv.disk_bytes {8 << 30}" if section.disk_bytes else makes_room
        return warn(CHECK, f"{text}: too little for more than short conversations", mend)
    if usage.free + kept < quota:
        mend = f"mlxr config set kv.disk_bytes {max(usage.free // 2, LITTLE)}  (or make room on that disk)"
        return warn(CHECK, f"{text}: the disk will be full before kv.disk_bytes is reached", mend)
    if left:
        text = f"{text}; {readable(left)} of memory are kept for the next start of servers that were killed"
        return warn(CHECK, text, "mlxr gc --pages  (or start one)")
    return ok(CHECK, text)


def _blocked(root: Path, nearest: Path) -> Finding | None:
    """What keeps pages from being written."""
    if not nearest.is_dir():
        return warn(CHECK, f"{nearest} is no folder: none can be kept", ELSEWHERE)
    refused = next((path for path in _written(root, nearest) if not os.access(path, os.W_OK | os.X_OK)), None)
    if refused is not None:
        text = f"{refused} can't be written to: none can be kept"
        return warn(CHECK, text, f"chmod u+rwx {shlex.quote(str(refused))}  (or {ELSEWHERE})")
    if os.statvfs(nearest).f_flag & os.ST_RDONLY:
        return warn(CHECK, f"the disk of {nearest} is read-only: none can be kept", ELSEWHERE)
    return None


def _written(root: Path, nearest: Path) -> list[Path]:
    """The folders that files are made in."""
    if nearest != root:
        return [nearest]
    return [root, *(entry for entry in sorted(root.iterdir()) if entry.is_dir())]


def _why(refusal: OSError | RuntimeError) -> str:
    return (refusal.strerror if isinstance(refusal, OSError) else None) or str(refusal)
