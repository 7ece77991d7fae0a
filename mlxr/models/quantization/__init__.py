"""Weights in fewer bits: which tensor gets which type (``tensor_types.py``), and who encodes (ggml's own library)."""
