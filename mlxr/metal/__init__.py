"""Backends: the operations that models are made of (``backend.py``), and who computes them (``select.py``)."""
