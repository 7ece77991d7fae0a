"""mlxr: a local LLM server on Apple's MLX."""

__version__ = "0.1.0"
