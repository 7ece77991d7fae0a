"""What is wrong with a constraint."""

from __future__ import annotations


class ConstraintError(ValueError):
    """The constraint can't be enforced; the message says what it is that can't be."""


class ToolError(ConstraintError):
    """It is a tool that can't be held to; the message names it."""
