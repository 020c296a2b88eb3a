"""The floor of a score: what two samples of the real people are apart.

Samples are of people, drawn with replacement, as many as there are generated and as there are
real: what a generator would score that draws from the real population itself. People are drawn
whole, since the days of one person are alike (the bootstrap of clusters: Davison and Hinkley,
"Bootstrap methods and their application", 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats

DRAWS = 20
"""Pairs of samples: that none of them reaches a score has a chance of 1 in 21 by luck alone."""


@dataclass(frozen=True)
class Floor:
    """What pairs of samples of the real people score.

    Attributes:
        values: the score of each pair, shape (pairs,).
        higher_is_better: of the score.
    """

    values: Floats
    higher_is_better: bool = False

    @classmethod
    def of(cls, scores: Sequence[float | None], *, higher_is_better: bool = False) -> Floor | None:
        """The floor of the pairs that have the score; None where none has it."""
        there = [score for score in scores if score is not None and np.isfinite(score)]
        return cls(np.array(there), higher_is_better) if there else None

    @property
    def mean(self) -> float:
        """Over the pairs."""
        return float(self.values.mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation over the pairs; None of a single one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else None

    def includes(self, value: float) -> bool | None:
        """Whether a score is no worse than that of the worst pair; None of a single one."""
        if len(self.values) < 2:
            return None
        if self.higher_is_better:
            return value >= float(self.values.min())
        return value <= float(self.values.max())


def draw_pairs(
    generated: int, real: int, seed: int, draws: int = DRAWS
) -> Iterator[tuple[Floats, Floats]]:
    """How often each real person is in a sample as large as the generated, and the real one.

    Args:
        generated: number of generated people.
        real: number of real ones.
        seed: of the draws.
        draws: pairs.

    Yields:
        Two arrays of shape (real,).
    """
    random = np.random.default_rng(seed)
    chances = np.full(real, 1 / real)
    for _ in range(draws):
        first, second = (random.multinomial(size, chances) for size in (generated, real))
        yield first.astype(np.float64), second.astype(np.float64)


def draw_halves(people: int, seed: int, draws: int = DRAWS) -> Iterator[tuple[Floats, Floats]]:
    """Which people are in a half of them, and in the other; drawn anew each time.

    For what people have in common, such as visits of a place: a person that is drawn twice would
    share all of them with itself.

    Args:
        people: number of them.
        seed: of the draws.
        draws: pairs.

    Yields:
        Two arrays of 0 and 1, shape (people,).
    """
    random = np.random.default_rng(seed)
    for _ in range(draws):
        inside = random.permutation(people) < people // 2
        yield inside.astype(np.float64), (~inside).astype(np.float64)
