"""What one engine's scheduler may do: a section of the configuration, as it is for the engine's model."""

from __future__ import annotations

from mlxr.runtime.config import Positive, Section


class SchedulerSection(Section, frozen=True):
    """``[scheduler]``.

    token_budget: tokens of one step.
    prefill_chunk: prompt tokens of a step while anything decodes.
    max_sequences: sequences that hold pages at once.
    max_waiting: requests in the queue before new ones are refused.
    """

    token_budget: Positive = 512
    prefill_chunk: Positive = 128
    max_sequences: Positive = 64
    max_waiting: Positive = 256


class Limits(SchedulerSection, frozen=True):
    """The section, and what the model asks for.

    whole_prompts: the model is an encoder and takes a prompt in one piece.
    """

    whole_prompts: bool = False
