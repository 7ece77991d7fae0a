"""Folders with ``config.json`` and ``*.safetensors``."""
