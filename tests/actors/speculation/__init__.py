"""Speculation over a real model: random requests get the same bytes with it and without."""
