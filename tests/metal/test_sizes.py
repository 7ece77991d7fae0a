"""What backends hold is what their sizes say, worked out from types and shapes alone."""

from __future__ import annotations

import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.sizes import MatrixForm, Scales
from mlxr.metal.tensors import Tensor, TensorType
from tests.metal.backends import ALL, ALL_IDS
from tests.metal.tensors import random_affine, random_tensor


def scales_of(tensor: Tensor) -> Scales:
    """What a header would tell of the tensor's scales."""
    match tensor.type:
        case TensorType.AFFINE:
            return Scales(int(tensor.extras["bits"]), int(tensor.extras["group"]))
        case TensorType.FP8_E4M3:
            return Scales(group=int(tensor.extras["block"][1]) if "block" in tensor.extras else 0)
        case TensorType.NF4:
            return Scales(group=int(tensor.extras["block"]))
    return Scales(whole="scale" in tensor.extras)


def form(tensor: Tensor) -> MatrixForm:
    return MatrixForm(tensor.type, *tensor.shape, tensor.nbytes, scales_of(tensor))


def require_same(backend: Backend, tensor: Tensor) -> None:
    assert backend.weight(tensor).nbytes == backend.sizes.matrix(form(tensor))
    assert backend.table(tensor).nbytes == backend.sizes.table(form(tensor))


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("type", list(TensorType))
def test_a_matrix_of_any_type_takes_what_sizes_say(backend: Backend, type: TensorType) -> None:
    for rows, columns in ((16, 256), (37, 512)):
        require_same(backend, random_tensor(type, rows, columns, np.random.default_rng(1)))


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("group", [32, 64, 128])
def test_affine_codes_of_any_bits_and_groups_take_what_sizes_say(backend: Backend, bits: int, group: int) -> None:
    require_same(backend, random_affine(bits, group, 24, 256, np.random.default_rng(2), 0.02))


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_one_more_scale_for_the_whole_matrix_is_counted(backend: Backend) -> None:
    tensor = random_tensor(TensorType.NVFP4, 16, 256, np.random.default_rng(3))
    tensor.extras["scale"] = np.array(0.5, np.float32)
    require_same(backend, tensor)
    whole = random_tensor(TensorType.FP8_E4M3, 16, 256, np.random.default_rng(3))
    whole.extras.clear()
    whole.extras["scale"] = np.array(0.5, np.float32)
    require_same(backend, whole)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("columns", [24, 64, 384])
@pytest.mark.parametrize("type", [TensorType.F32, TensorType.F16, TensorType.BF16])
def test_an_encoders_floats_take_what_sizes_say(backend: Backend, type: TensorType, columns: int) -> None:
    tensor = random_tensor(type, 21, columns, np.random.default_rng(4))
    assert backend.weight(tensor, encoder=True).nbytes == backend.sizes.matrix(form(tensor), encoder=True)
