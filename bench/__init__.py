"""Benchmarks: ``python -m bench --help``. How to read them is in ``bench/README.md``."""
