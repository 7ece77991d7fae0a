"""Why a prompt was computed that might have been found in the pool: one line, without a word of what it says."""

from __future__ import annotations

from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss, PromptSection

UNKNOWN = "the text"


def explained(miss: PrefixMiss | None, sections: list[PromptSection]) -> str:
    """Returns the line; '' where nothing was to be found, as for what a client has just written."""
    if miss is None:
        return ""
    shared = f"{miss.tokens:,}"
    match miss.kind:
        case MissKind.DIFFERS:
            part = _section(sections, miss.tokens)
            if part is None:
                return ""
            return f"first differing token {shared} of {miss.of:,}: {part} changed"
        case MissKind.EVICTED:
            who = f"for request {miss.request}" if miss.request else "since memory was wanted elsewhere"
            return f"{shared} of {miss.of:,} tokens were evicted {miss.seconds:.0f} s ago {who}"
        case MissKind.RESTARTED:
            return f"{shared} of {miss.of:,} tokens were in a pool that was lost with its executor"
        case MissKind.ADAPTERS:
            return f"{shared} of {miss.of:,} tokens were computed with other adapters"
        case MissKind.OFF:
            return f"{shared} of {miss.of:,} tokens were there; log-probabilities of the prompt want all computed"
        case MissKind.SHORT:
            return f"the {shared} tokens that were there fill no page of {miss.of:,}"
        case MissKind.NOT_KEPT:
            return f"{shared} of {miss.of:,} tokens had no state, or were still being computed"
        case MissKind.MODEL:
            return f"{shared} of {miss.of:,} tokens are on disk, but another model computed them"
        case MissKind.VERSION:
            return f"{shared} of {miss.of:,} tokens are on disk, but another version of mlxr or MLX computed them"
        case MissKind.BACKEND:
            return f"{shared} of {miss.of:,} tokens are on disk, but another backend or processor computed them"
        case MissKind.LAYOUT:
            return f"{shared} of {miss.of:,} tokens are on disk, but in pages of another kv.page_type or kv.page_size"


def _section(sections: list[PromptSection], position: int) -> str | None:
    """Returns the name of the part that the token at ``position`` belongs to; None for what was written last, and what
    follows that."""
    own = [section for section in sections if section.own]
    if not sections:
        return UNKNOWN
    found = next((index for index, section in enumerate(sections) if position < section.end), None)
    if found is None or (own and sections[found] is own[-1] and own[-1].name.startswith("message")):
        return None
    return sections[found].name
