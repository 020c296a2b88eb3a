"""Settings of the ranker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """One way of weighing a user's records for a row to predict.

    weight = (exp(-slots / narrow) + share * exp(-slots / wide)) * exp(-age / recency)
    * weekday factor * day type factor * gap ratios ** -gap * exp(-pattern * (1 - similarity))

    Attributes:
        narrow, wide: decays of the slot kernel, in slots; infinite for any time of day.
        share: weight of the wide part beside the narrow one.
        recency: decay of a record's weight, in days.
        other_weekday: factor for a record of another day of the week.
        other_type: factor for a record of a working day on a day off, and the reverse.
        gap: strength of the match of the gaps to the rows before and after.
        pattern: strength of the match of all the slots seen in the two days.
    """

    narrow: float
    wide: float = 6.0
    share: float = 0.0
    recency: float = 1e6
    other_weekday: float = 1.0
    other_type: float = 1.0
    gap: float = 0.0
    pattern: float = 0.0


ANY = float("inf")

# The first is the history model; the number of kernels is a multiple of 4, for the compiler.
KERNELS = (
    Kernel(0.7, share=0.1, recency=60, other_weekday=0.7, other_type=0.5, gap=0.9),
    Kernel(0.3),
    Kernel(2.5, other_type=0.1),
    Kernel(1.5, other_weekday=0.05),
    Kernel(1.5, recency=7, other_type=0.5),
    Kernel(4.0, gap=1.8),
    Kernel(ANY, recency=60, other_type=0.2),
    Kernel(ANY, recency=15, gap=1.0),
    Kernel(1.0, pattern=8.0),
    Kernel(ANY, gap=0.9, pattern=8.0),
    Kernel(0.7, share=0.1, recency=30, other_weekday=0.4, other_type=0.2, gap=1.5, pattern=3.0),
    Kernel(3.0, recency=20, other_type=0.2, gap=0.5),
)


@dataclass(frozen=True)
class RankerConfig:
    """How the ranker is built and trained; chosen on days before 60.

    Attributes:
        keep: candidate cells a row, K.
        windows: first days of the training windows, counted back from the end of the known
            days; each is predicted from what is before it.
        horizon: length of a window, in days.
        least_history: fewest days before a window.
        most_rows: rows to predict that are trained on, about; of more, days are drawn.
        hidden: width of the two hidden layers, H.
        members: networks whose scores are averaged, M.
        epochs: passes over the training set.
        batch: rows to predict in a step.
        rate: learning rate at the start; it falls to 0 as half a cosine.
        decay: weight decay.
        soften: weight exp(-distance / soften) of the kept cells around a true cell that is not
            among them, in cells.
        temperature: what the scores are divided by in use.
        seed: of the draws.
    """

    keep: int = 16
    windows: tuple[int, ...] = (15, 22, 30, 37, 45)
    horizon: int = 15
    least_history: int = 7
    most_rows: int = 160_000
    hidden: int = 128
    members: int = 2
    epochs: int = 3
    batch: int = 128
    rate: float = 2e-3
    decay: float = 0.1
    soften: float = 1.0
    temperature: float = 1.0
    seed: int = 0
