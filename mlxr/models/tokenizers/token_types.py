"""What kind of token each of a vocabulary is."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class TokenType(IntEnum):
    """Values of ``tokenizer.ggml.token_type``."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


Types = npt.NDArray[np.uint8]
"""``TokenType`` of every token."""
