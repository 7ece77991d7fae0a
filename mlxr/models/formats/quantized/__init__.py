"""Matrices that a folder keeps quantized, in several tensors each; a file for each scheme."""
