"""Conversations to prompt text, by the chat templates that models bring along."""

from mlxr.models.chat.capabilities import Capabilities, capabilities, capabilities_with
from mlxr.models.chat.errors import ChatError, no_template
from mlxr.models.chat.fallback import find_source
from mlxr.models.chat.own import OwnTemplate, comment, make_template, own_template
from mlxr.models.chat.parser import choose_parser
from mlxr.models.chat.template import ChatTemplate, Rendered

__all__ = [
    "Capabilities",
    "ChatError",
    "ChatTemplate",
    "OwnTemplate",
    "Rendered",
    "capabilities",
    "capabilities_with",
    "choose_parser",
    "comment",
    "find_source",
    "make_template",
    "no_template",
    "own_template",
]
