"""Matrices of signed bytes under scales, as affine codes of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.models.formats.quantized.parts import AssembledTensor, Floats, affine_or_half, integers
from mlxr.models.modelfile import StoredTensor

MIDDLE = 128


def signed_rows(
    name: str,
    codes: StoredTensor,
    group: int,
    scales: Sequence[StoredTensor],
    stored_as: str,
    read: Callable[[], tuple[Floats, Floats]],
) -> AssembledTensor:
    """Returns the matrix of int8 ``codes``: ``value = (code - zero) * scale``. ``read``: gives scales and zeros
    ``[out, in / group]``; ``scales``: where from."""
    rows, columns = codes.shape

    def parts() -> tuple[NDArray[np.uint8], Floats, Floats]:
        scale, zero = read()
        return integers(codes).view(np.uint8) ^ np.uint8(MIDDLE), scale, -scale * (zero + MIDDLE)

    return affine_or_half(name, (rows, columns), 8, group, [codes, *scales], stored_as, parts)
