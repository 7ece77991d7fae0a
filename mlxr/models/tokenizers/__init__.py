"""Text to token ids and back, from a model's own files.

``load_gguf`` builds a tokenizer from GGUF metadata, ``load_directory`` from a Hugging Face folder. Both return a
``Tokenizer``. Nothing here imports MLX, and the tokenizer libraries are imported only by the loader that needs them.
"""

from mlxr.models.tokenizers.base import TableTokenTexts, Tokenizer, TokenTexts
from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.load import load_directory, load_gguf
from mlxr.models.tokenizers.special import FillTokens, SpecialTokens
from mlxr.models.tokenizers.table import TokenTable

__all__ = [
    "FillTokens",
    "SpecialTokens",
    "TableTokenTexts",
    "TokenTable",
    "TokenTexts",
    "Tokenizer",
    "TokenizerError",
    "load_directory",
    "load_gguf",
]
