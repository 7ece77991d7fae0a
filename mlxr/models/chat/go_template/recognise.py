"""Tells Go templates from Jinja ones, which both write ``{{ ... }}``.

A template is Go's where one of its actions is something that Jinja never writes: a field (``{{ .Prompt }}``), a
variable (``{{ $m.Role }}``), a comment, ``{{ if ... }}`` and its kind, ``{{ end }}``, or a call of a function of Go's
without parentheses. One that has a statement of Jinja's (``{% for m in messages %}``) is Jinja, whatever else
stands in it.
"""

from __future__ import annotations

import re

_JINJA = re.compile(r"\{%[-+]? *(?:if|for|set|macro|generation|raw|block|call|filter|include|import|from|with)\b")
_GO = re.compile(
    r"""
    \{\{ (?:-[ \t\r\n])? [ \t\r\n]*
    (?: \. (?:[^\W\d]\w* | [ \t\r\n]* -?\}\})
      | \$ | /\*
      | (?:if|range|with|define|template|block) [ \t\r\n]+
          (?:[.$"`(] | (?:not|and|or|eq|ne|lt|le|gt|ge|len|index) \b)
      | (?:end|else|break|continue) [ \t\r\n]* (?:-?\}\}|if\b|with\b)
      | (?:json|print|printf|println|len|index|slice|and|or|not|eq|ne|lt|le|gt|ge|toTypeScriptType) [ \t\r\n]+ [.$"`(]
      | (?:currentDate|yesterdayDate) \b
    )
    """,
    re.VERBOSE,
)


def is_go(source: str) -> bool:
    """Returns whether ``source`` is a Go template, and not Jinja."""
    return _GO.search(source) is not None and _JINJA.search(source) is None
