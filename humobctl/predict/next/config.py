"""Settings of next-location prediction."""

from __future__ import annotations

from dataclasses import dataclass

from humobctl.predict.ranker.config import RankerConfig

FLOOR = 1e-3
"""What is added to shares before their logarithm is taken."""
CONTINUED = 24.0
"""Hours between two records of a user up to which the second one follows from the first."""
NEW = 12
"""Candidates of each kind that may be new to a user: those others go to next, and near ones."""
NEAR_KM = 3.0
"""Decay of a near place's weight with its distance."""


@dataclass(frozen=True)
class NextRankerConfig:
    """How the ranker of next places is built and trained; chosen on a validation part.

    Attributes:
        windows: where the training windows begin and end, as fractions of the records in time;
            each is predicted from what is before it, as in use.
        keep: candidates a record in training.
        most_rows: records to predict that are trained on, about; of more, records are drawn.
        hidden: width of the two hidden layers.
        members: networks whose scores are averaged.
        epochs: passes over the training set.
        batch: records to predict in a step.
        rate: learning rate at the start; it falls to 0 as half a cosine.
        decay: weight decay.
        seed: of the draws.
    """

    windows: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    keep: int = 64
    most_rows: int = 40_000
    hidden: int = 64
    members: int = 3
    epochs: int = 3
    batch: int = 128
    rate: float = 2e-3
    decay: float = 0.3
    seed: int = 0

    def network(self) -> RankerConfig:
        """What the network's training takes of it."""
        return RankerConfig(
            hidden=self.hidden,
            members=self.members,
            epochs=self.epochs,
            batch=self.batch,
            rate=self.rate,
            decay=self.decay,
            seed=self.seed,
        )
