"""Experts' matrices that a file keeps the other way round, as mixtures multiply by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlxr.metal.tensors import Tensor, TensorType

DTYPES = {TensorType.F32: np.uint32, TensorType.F16: np.uint16, TensorType.BF16: np.uint16}
"""Types whose numbers can be put elsewhere one by one, as the bits of each."""


def outputs_first(whole: Tensor) -> Tensor:
    """Returns, from ``whole`` ``[experts, inputs, outputs]`` of one of ``DTYPES``, all matrices above one another:
    ``[experts * outputs, inputs]``."""
    count, inputs, outputs = whole.shape
    numbers = whole.data.reshape(-1).view(DTYPES[whole.type]).reshape(whole.shape)
    data = np.ascontiguousarray(numbers.swapaxes(1, 2)).view(np.uint8).reshape(count * outputs, -1)
    return replace(whole, shape=(count * outputs, inputs), data=data)
