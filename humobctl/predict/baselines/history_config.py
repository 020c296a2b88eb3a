"""Settings of the history model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HistoryConfig:
    """Kernel widths and factors; chosen on days before 60 by ``benchmarks/tune_history.py``.

    Attributes:
        slot_width: decay of the narrow slot kernel, in slots.
        slot_wide: decay of the wide one, in slots.
        wide_share: weight of the wide kernel beside the narrow one.
        recency: decay of a record's weight, in days.
        other_weekday: factor for a record of another day of the week.
        other_type: factor for a record of a working day on a day off, and the reverse.
        gap: strength of the match of the gaps to the rows before and after (0: none).
    """

    slot_width: float = 0.7
    slot_wide: float = 6.0
    wide_share: float = 0.1
    recency: float = 60.0
    other_weekday: float = 0.7
    other_type: float = 0.5
    gap: float = 0.9
