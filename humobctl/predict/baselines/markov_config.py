"""Settings of the markov model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MarkovConfig:
    """Settings of the bigram model.

    Attributes:
        slot_width: decay of a transition's weight with the slots apart, in slots.
        back_off: weight of the slot's own frequencies beside the transitions.
    """

    slot_width: float = 1.0
    back_off: float = 0.1
