"""What one engine's scheduler may do: a section of the configuration, as it is for the engine's model."""

from __future__ import annotations

from typing import Annotated

from mlxr.runtime.config import Positive, Section, about


class SchedulerSection(Section, frozen=True):
    """``[scheduler]``."""

    token_budget: Annotated[Positive, about("tokens of one step")] = 512
    prefill_chunk: Annotated[Positive, about("prompt tokens of a step while streams are running")] = 128
    max_sequences: Annotated[Positive, about("sequences running at once")] = 64
    max_waiting: Annotated[Positive, about("sequences waiting before new ones are refused")] = 256


class Limits(SchedulerSection, frozen=True):
    """The section, and what the model asks for.

    whole_prompts: the model is an encoder and takes a prompt in one piece.
    """

    whole_prompts: bool = False
