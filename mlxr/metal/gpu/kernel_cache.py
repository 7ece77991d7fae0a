"""Machine code of our kernels for CUDA, compiled once for a machine and kept where MLX looks for it.

MLX keeps what ``mx.fast.cuda_kernel`` compiles for a process alone, and goes through the whole source at each launch.
But it looks for every kernel in its own folder before it compiles one (``jit_module.cpp``): ``NAME_HASH.ptx``, with the
names of functions beside it, where the hash is that of the source. So what NVRTC gives is put there under the hash of
no source at all, and ``mx.fast.precompiled_cuda_kernel`` launches it by name, with none.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

import mlx.core as mx

from mlxr.metal.gpu import nvrtc
from mlxr.runtime.whole_files import write_whole

log = logging.getLogger("mlxr.metal")

HASH_OF_NOTHING = 0x553E93901E462A6E
"""``std::hash<std::string>`` of an empty one, by libstdc++."""

MOST_BYTES = 256 << 20
"""Of all code in the folder, MLX's too, as far as it grows by ours: what was read longest ago goes first. A model's own
are 1 to 3 MB."""

PROBE = 'extern "C" __global__ void mlxr_probe(float* out, float x) { out[threadIdx.x] = x + threadIdx.x; }'


def cached_kernel(function: str, source: str) -> str:
    """Returns the name under which MLX finds the code of ``source``, which is compiled unless it lies there.
    ``function``: the one that it has, by C's rules. Raises ``nvrtc.CompileError``, and ``OSError`` where it can't be
    written there."""
    architecture = _architecture()
    whole = f"{function} {architecture} {nvrtc.version()}\n{source}"
    name = f"{function}_{hashlib.sha256(whole.encode()).hexdigest()[:16]}"
    path = _folder() / f"{name}_{HASH_OF_NOTHING:x}"
    code, names = path.with_suffix(".ptx"), path.with_suffix(".txt")
    if _sound(code, names):
        _note_use(code)
    else:
        compiled = nvrtc.compiled(source, architecture)
        _make_room(code.parent, MOST_BYTES - len(compiled))
        write_whole(names, f"{_digest(compiled)}\n{name}\t{function}\n", 0o600)
        write_whole(code, compiled, 0o600)
    return name


@cache
def launches_by_name() -> bool:
    """Whether MLX finds here what is kept so: found out by a kernel of one line."""
    try:
        (out,) = mx.fast.precompiled_cuda_kernel(
            name=cached_kernel("mlxr_probe", PROBE),
            compiled_source=b"",
            inputs=[],
            output_shapes=[(32,)],
            output_dtypes=[mx.float32],
            scalars=[0.5],
            grid=(32, 1, 1),
            threadgroup=(32, 1, 1),
        )
        return bool(mx.array_equal(out, mx.arange(32) + 0.5).item())
    except Exception as error:  # of any kind: no compiler, no folder, another MLX
        log.info("kernels are compiled anew in each process: %s", error)
        return False


def _sound(code: Path, names: Path) -> bool:
    """Whether the code is what was once written there."""
    try:
        return names.read_text().partition("\n")[0] == _digest(code.read_bytes())
    except OSError:
        return False


def _note_use(code: Path) -> None:
    with suppress(OSError):
        os.utime(code)


def _make_room(folder: Path, most: int) -> None:
    """Removes the kernels that were used longest ago, until all are ``most`` bytes at most. MLX has loaded what this
    process uses, and compiles again what it no longer finds."""
    kept = []
    for code in folder.glob("*.ptx"):
        with suppress(OSError):  # another process may have removed it
            found = code.stat()
            kept.append((found.st_mtime_ns, found.st_size, code))
    total = sum(size for _, size, _ in kept)
    for _, size, code in sorted(kept):
        if total <= most:
            return
        for part in (code, code.with_suffix(".txt"), code.with_suffix(".cu")):
            part.unlink(missing_ok=True)
        total -= size


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()


@cache
def _folder() -> Path:
    """MLX's, which it settles on at its first kernel."""
    default = Path(tempfile.gettempdir()) / "mlx" / metadata.version("mlx") / "ptx"
    folder = Path(os.environ.get("MLX_PTX_CACHE_DIR") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _architecture() -> str:
    """Like ``sm_90a``: with what its kind alone has, from Hopper on."""
    name = str(mx.device_info(mx.default_device())["architecture"])
    return name + "a" * (int(name.removeprefix("sm_")) >= 90)
