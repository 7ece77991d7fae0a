"""Weights in fewer bits: which tensor gets which type (``mixes.py``), and who encodes (ggml's own library)."""
