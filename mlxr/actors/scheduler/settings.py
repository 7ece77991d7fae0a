"""What one engine's scheduler may do: a section of the configuration, as it is for the engine's model."""

from __future__ import annotations

from typing import Annotated

from msgspec import structs

from mlxr.actors.scheduler.speculation_section import SpeculationSection
from mlxr.runtime.config import NotNegative, Positive, Section, about


class SchedulerSection(Section, frozen=True):
    """``[scheduler]``."""

    token_budget: Annotated[NotNegative, about("tokens of one step; 0: what suits the device, 512 on a CPU")] = 0
    prefill_chunk: Annotated[Positive, about("prompt tokens of a step while streams are running")] = 128
    max_sequences: Annotated[Positive, about("sequences running at once")] = 64
    max_waiting: Annotated[Positive, about("sequences waiting before new ones are refused")] = 256
    max_adapters: Annotated[Positive, about("adapters of a model kept loaded at once")] = 16


class Limits(SchedulerSection, frozen=True):
    """The section, and what the model asks for.

    whole_prompts: the model is an encoder and takes a prompt in one piece.
    speculation: what there may be of it.
    """

    whole_prompts: bool = False
    speculation: SpeculationSection = SpeculationSection()

    def on(self, step_tokens: int) -> Limits:
        """Returns the limits for a device that ``step_tokens`` tokens a step suit."""
        return self if self.token_budget else structs.replace(self, token_budget=step_tokens)
