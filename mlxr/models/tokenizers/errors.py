"""What can be wrong with a tokenizer's files."""

from mlxr.runtime.errors import ModelError


class TokenizerError(ModelError):
    """The model's files describe no tokenizer that mlxr can build; the message says what is wrong."""
