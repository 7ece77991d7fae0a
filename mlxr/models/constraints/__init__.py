"""Output held to a JSON schema, a regular expression or a grammar, by masks over the vocabulary.

``llguidance`` does the parsing; it is imported when the first constraint is used, not before. Importing one of these
names loads what that needs alone: a matcher loads no chat family.
"""

from typing import TYPE_CHECKING

from mlxr.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlxr.models.constraints.errors import ConstraintError, ToolError
    from mlxr.models.constraints.grammars import compile_grammar, normalised
    from mlxr.models.constraints.matcher import Matcher
    from mlxr.models.constraints.optional_tools import offer_tools
    from mlxr.models.constraints.reasoning import FREE, ReasoningMode, after_reasoning
    from mlxr.models.constraints.tool_calls import force_tools
    from mlxr.models.constraints.trial_compilation import trial_compile
    from mlxr.models.constraints.vocabulary import Vocabulary

__all__ = [
    "FREE",
    "ConstraintError",
    "Matcher",
    "ReasoningMode",
    "ToolError",
    "Vocabulary",
    "after_reasoning",
    "compile_grammar",
    "force_tools",
    "normalised",
    "offer_tools",
    "trial_compile",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ConstraintError": "errors",
        "FREE": "reasoning",
        "Matcher": "matcher",
        "ReasoningMode": "reasoning",
        "ToolError": "errors",
        "Vocabulary": "vocabulary",
        "after_reasoning": "reasoning",
        "compile_grammar": "grammars",
        "force_tools": "tool_calls",
        "normalised": "grammars",
        "offer_tools": "optional_tools",
        "trial_compile": "trial_compilation",
    },
)
