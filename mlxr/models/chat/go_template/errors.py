"""What can be wrong with a Go template."""

from __future__ import annotations


class GoTemplateError(Exception):
    """A template that does not parse, or that fails while it is executed. ``line``: where, 0 where that is unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"{message} (line {line})" if line else message)
        self.message = message
        self.line = line


class GoTemplateLimitError(GoTemplateError):
    """The template did more, or wrote more, than it may."""
