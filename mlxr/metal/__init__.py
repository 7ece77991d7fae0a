"""Backends: the operations that models are made of (``backend.py``), and who computes them (``select.py``)."""

import os

# On NVIDIA's and newer Apple GPUs MLX multiplies float32 matrices in 19 bits of each number otherwise: the reference
# that kernels are held against, and routers of experts, need all of them. MLX reads it with its first product.
os.environ.setdefault("MLX_ENABLE_TF32", "0")
