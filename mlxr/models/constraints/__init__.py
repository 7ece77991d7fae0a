"""Output held to a JSON schema, a regular expression or a grammar, by masks over the vocabulary.

``llguidance`` does the parsing; it is imported when the first constraint is used, not before.
"""

from mlxr.models.constraints.errors import ConstraintError, ToolError
from mlxr.models.constraints.grammars import compile_grammar
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
    "offer_tools",
    "trial_compile",
]
