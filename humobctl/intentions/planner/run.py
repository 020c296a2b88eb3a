"""The planner as a backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.schemas import INTENTIONS
from humobctl.intentions.backend import Settings


class Planner:
    """Day plans of many people at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def tables(self, people: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Intentions of these people on all days."""
        days = self.settings.days
        n = people.height * days
        yield pl.DataFrame(
            {
                "uid": np.repeat(people["uid"].to_numpy(), days),
                "d": np.tile(np.arange(days), people.height),
                "seq": 0,
                "intent": "go home",
                "start_min": 0,
                "end_min": 1440,
                "reason": pl.Series(["at home"]).new_from_index(0, n),
            },
            schema=INTENTIONS.dtypes,
        )

    def summary(self) -> dict[str, Any]:
        """What the report says of the run."""
        return {"backend": "planner"}


def make(settings: Settings, options: dict[str, Any]) -> Planner:
    """The planner; it has no options of its own."""
    return Planner(settings)
