"""A Metal kernel is compiled once for each choice of small inputs, not at every change of it."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import pytest

from mlxr.metal.gpu.metal_kernel import MetalKernel


def test_a_kernel_has_a_name_for_each_choice_of_small_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def metal_kernel(name: str, **_: Any) -> Any:
        made.append(name)
        return lambda inputs, **launch: [name]

    monkeypatch.setattr(mx.fast, "metal_kernel", metal_kernel)
    kernel = MetalKernel("write", ["values", "slots"], ["done"], "")
    called = [kernel(inputs=[mx.zeros(8), mx.zeros(rows)], grid=(1, 1, 1)) for rows in (1, 8, 7, 9, 1)]
    small, large = made
    assert called == [[small], [large], [small], [large], [small]]
    assert small != large
