"""What Falcon-H1's products are multiplied by, as files of either format tell."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models.hyperparameters import Format, Hyperparameters

LEAST = 1e-9
"""A multiplier that is smaller leaves nothing; so does, turned round, one that is as much larger."""


@dataclass(frozen=True, slots=True)
class Multipliers:
    """As ``config.json`` has them; ``projected``: of z, x, B, C and time steps."""

    attention_in: float = 1.0
    attention_out: float = 1.0
    key: float = 1.0
    ssm_in: float = 1.0
    ssm_out: float = 1.0
    projected: tuple[float, ...] = (1.0,) * 5
    gate: float = 1.0
    down: float = 1.0
    logits: float = 1.0

    @property
    def hidden(self) -> float:
        """How much larger hidden states are here."""
        return self.gate / self.down


def multipliers_of(parameters: Hyperparameters) -> Multipliers:
    """Raises ``ModelFileError`` for those of which nothing would be left."""
    if parameters.format is Format.GGUF:
        return Multipliers()
    gate, down = parameters.numbers("mlp_multipliers", 2) or (1.0, 1.0)
    projected = tuple(parameters.numbers("ssm_multipliers", 5) or (1.0,) * 5)
    if not all(LEAST < number < 1 / LEAST for number in (gate, down, *projected)):
        raise parameters.error("has mlp_multipliers or ssm_multipliers that leave nothing")
    return Multipliers(
        **{
            name: parameters.positive_number(key, 1.0)
            for name, key in (
                ("attention_in", "attention_in_multiplier"),
                ("attention_out", "attention_out_multiplier"),
                ("key", "key_multiplier"),
                ("ssm_in", "ssm_in_multiplier"),
                ("ssm_out", "ssm_out_multiplier"),
                ("logits", "lm_head_multiplier"),
            )
        },
        projected=projected,
        gate=gate,
        down=down,
    )
