"""Kernels of our own for GPUs: one operation a folder, with its body for Metal, its twin for CUDA, and what both share
(inputs, outputs, template arguments, grid). Imports NumPy alone until a kernel is made."""
