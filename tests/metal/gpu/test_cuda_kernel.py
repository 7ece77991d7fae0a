"""Kernels for CUDA are launched by name, with the sizes that their bodies ask for; by MLX from source where not."""

from __future__ import annotations

import errno
from typing import Any

import mlx.core as mx
import pytest

from mlxr.metal.gpu import cuda_kernel
from mlxr.metal.gpu.cuda_kernel import CudaKernel

BODY = "out[threadIdx.x] = x[threadIdx.x * x_strides[0]] + y_shape[0] + COUNT;"
LAUNCH: dict[str, Any] = {
    "grid": (8, 1, 1),
    "threadgroup": (8, 1, 1),
    "output_shapes": [(8,)],
    "output_dtypes": [mx.float32],
}


class Launches:
    """What was compiled and launched."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.launched: list[dict[str, Any]] = []

    def cached(self, name: str, source: str) -> str:
        self.sources.append(source)
        return f"{name}_cached"

    def launch(self, **given: Any) -> list[mx.array]:
        self.launched.append({**given, "scalars": list(given["scalars"])})
        return [mx.zeros(8)]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    made = Launches()
    monkeypatch.setattr(cuda_kernel, "launches_by_name", lambda: True)
    monkeypatch.setattr(cuda_kernel, "cached_kernel", made.cached)
    monkeypatch.setattr(mx.fast, "precompiled_cuda_kernel", made.launch)
    return made


def adding() -> CudaKernel:
    return CudaKernel("adding", ["x", "y"], ["out"], BODY, ensure_row_contiguous=False)


def test_a_source_has_a_signature_of_its_inputs_and_the_sizes_it_asks_for(launches: Launches) -> None:
    adding()([mx.zeros((8, 3)), mx.zeros(5, mx.float16)], template=[("COUNT", 2)], **LAUNCH)
    (source,) = launches.sources
    given = "const float* x, const __half* y, float* out, int x_strides_0_given, int y_shape_0"
    assert f'extern "C" __global__ void adding({given})' in source
    assert "constexpr int COUNT = 2;" in source


def test_sizes_are_those_of_each_call(launches: Launches) -> None:
    kernel = adding()
    for columns, length in ((3, 5), (4, 6)):
        kernel([mx.zeros((8, columns)), mx.zeros(length)], template=[("COUNT", 2)], **LAUNCH)
    assert [given["scalars"] for given in launches.launched] == [[3, 5], [4, 6]]
    assert len(launches.sources) == 1


def test_inputs_have_no_gaps_where_strides_are_asked_for(launches: Launches) -> None:
    adding()([mx.zeros((8, 3)), mx.zeros(5)], template=[("COUNT", 2)], **LAUNCH)
    assert launches.launched[0]["ensure_row_contiguous"]


def test_other_types_are_another_kernel(launches: Launches) -> None:
    kernel = adding()
    for dtype in (mx.float32, mx.float16, mx.float32):
        kernel([mx.zeros((8, 3)), mx.zeros(5, dtype)], template=[("COUNT", 2)], **LAUNCH)
    assert len(launches.sources) == 2


def test_a_launch_takes_sizes_that_are_fixed_once(launches: Launches) -> None:
    launched = adding().launching(fixed=("x", "y"), **LAUNCH)
    for length in (5, 6):
        launched(inputs=[mx.zeros((8, 3)), mx.zeros(length)])
    assert [given["scalars"] for given in launches.launched] == [[3, 5], [3, 5]]


def test_a_launch_takes_other_sizes_at_each_call(launches: Launches) -> None:
    launched = adding().launching(fixed=("x",), **LAUNCH)
    for length in (5, 6):
        launched(inputs=[mx.zeros((8, 3)), mx.zeros(length)])
    assert [given["scalars"] for given in launches.launched] == [[3, 5], [3, 6]]


def test_mlx_compiles_where_it_finds_nothing_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    def make(**given: Any) -> Any:
        made.append(given)
        return lambda **launch: [mx.ones(8)]

    monkeypatch.setattr(cuda_kernel, "launches_by_name", lambda: False)
    monkeypatch.setattr(mx.fast, "cuda_kernel", make)
    kernel = adding()
    assert made[0]["source"] == BODY
    inputs = [mx.zeros((8, 3)), mx.zeros(5)]
    assert kernel(inputs, **LAUNCH)[0].tolist() == kernel.launching(**LAUNCH)(inputs=inputs)[0].tolist() == [1.0] * 8


def test_mlx_compiles_what_the_disk_has_no_room_for(launches: Launches, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, source: str) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    launched: list[dict[str, Any]] = []

    def make(**given: Any) -> Any:
        assert given["source"] == BODY

        def launch(**asked: Any) -> list[mx.array]:
            launched.append(asked)
            return [mx.ones(8)]

        return launch

    monkeypatch.setattr(cuda_kernel, "cached_kernel", full)
    monkeypatch.setattr(mx.fast, "cuda_kernel", make)
    inputs, kernel = [mx.zeros((8, 3)), mx.zeros(5)], adding()
    assert kernel(inputs, template=[("COUNT", 2)], **LAUNCH)[0].tolist() == [1.0] * 8
    assert kernel.launching(**LAUNCH)(inputs=inputs)[0].tolist() == [1.0] * 8
    assert launched == [{"inputs": inputs, "template": given, **LAUNCH} for given in ([("COUNT", 2)], ())]
