"""What one engine's speculation may do: a section of the configuration."""

from __future__ import annotations

from typing import Annotated

from mlxr.runtime.config import Section, about


class SpeculationSection(Section, frozen=True):
    """``[speculation]``."""

    enabled: Annotated[bool, about("likely next tokens are computed ahead; the output is the same")] = True
    lookup: Annotated[bool, about("drafts from what the prompt and the output have said before")] = True
    shared: Annotated[bool, about("and from other requests of the same client, never of another's")] = True
    draft_model: Annotated[
        str, about("a small model with the same vocabulary that drafts; auto: of those loaded; empty: none")
    ] = ""
    mtp: Annotated[bool, about("drafts by heads of the model itself, where its file has them (nextn, mtp)")] = True
    grammar: Annotated[bool, about("drafts of what a JSON schema or a grammar leaves no choice about")] = True
