"""What a chat's ``/?`` shows: commands and what they do, in two columns that fit the terminal."""

from __future__ import annotations

import re
import textwrap

HELP = """\
Available commands:
  /set               Set what holds for answers to come
  /show              Show what the model is
  /load MODEL        Go on with another model, from the beginning
  /save MODEL        Make a model of this one, its settings and this conversation
  /regenerate        Answer the last message anew
  /clear             Begin the conversation anew
  /list              List the models that are here
  /bye               Leave (also: Ctrl-D)
  /?, /help          This list; /? set, /? show and /? shortcuts say more

Use \"\"\" to begin and end a message of several lines, or Alt-Enter within one."""

SET = """\
Available settings:
  /set parameter NAME VALUE   Set an option of the model (/set parameter lists them)
  /set system TEXT            Set the system prompt
  /set format json            Answers are JSON; or /set format SCHEMA, a JSON schema or a file with one
  /set noformat               Answers are text
  /set think [LEVEL]          Reason before answering: low, medium, high
  /set nothink                Answer without reasoning
  /set verbose, /set quiet    Show figures behind each answer, or don't
  /set wordwrap, nowordwrap   Break lines between words, or don't
  /set markdown, nomarkdown   Show Markdown as styles, or as it is
  /set history, nohistory     Remember what is typed, or don't
  /set keepalive DURATION     How long the model stays loaded after an answer: 10m, 0, -1"""

SHOW = """\
Available facts:
  /show info         What the model is
  /show license      Its license
  /show modelfile    A Modelfile that would make it
  /show parameters   Its parameters, and those of this chat
  /show system       The system prompt
  /show template     The prompt template"""

SHORTCUTS = """\
Available shortcuts:
  Ctrl-A, Ctrl-E     To the beginning, or the end, of the line
  Alt-B, Alt-F       A word back, or forward
  Ctrl-K, Ctrl-U     Delete what is behind, or before, the cursor
  Ctrl-W             Delete the word before the cursor
  Ctrl-R             Search what was typed before
  Ctrl-L             Clear the screen
  Ctrl-G             Write the message in $EDITOR
  Alt-Enter          A line more in this message
  Ctrl-C             Stop the answer, or forget what is typed
  Ctrl-D             Leave (/bye)"""

NARROWEST_ABOUT = 24
"""Columns that what a command does keeps beside its name; on a narrower terminal it stands below."""

BELOW = " " * 6

_ENTRY = re.compile(r"(  \S.*?)( {2,})(\S.*)")


def fitted(text: str, width: int | None) -> str:
    """Returns such a text in lines of at most ``width``, broken between words; None: as it is."""
    if width is None:
        return text
    return "\n".join(part for line in text.splitlines() for part in _fitted_line(line, width))


def _fitted_line(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        indent = line[: len(line) - len(line.lstrip())]
        return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)
    name, gap, about = entry.groups()
    column = len(name) + len(gap)
    if width - column >= NARROWEST_ABOUT:
        lines = textwrap.wrap(about, width - column, break_on_hyphens=False)
        return [name + gap + lines[0], *(" " * column + each for each in lines[1:])]
    return [
        *textwrap.wrap(name.strip(), width, initial_indent="  ", subsequent_indent=BELOW, break_on_hyphens=False),
        *textwrap.wrap(about, width, initial_indent=BELOW, subsequent_indent=BELOW, break_on_hyphens=False),
    ]
