"""Scores as evaluation hands them out: tables for people, frames, records and LaTeX."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from humobctl import __version__
from humobctl.console.shown import Shown

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class TableScore:
    """A value of a metric over two whole tables.

    Attributes:
        name: as options and JSON spell it.
        value: NaN where there is nothing to compute it from.
        unit: km, trips, share, or "" for a pure number.
        higher_is_better: which way is better; None where neither is, as for a yardstick.
        settings: every setting that changes the value.
        low, high: interval of the value; NaN where none is computed.
    """

    name: str
    value: float
    unit: str
    higher_is_better: bool | None
    settings: tuple[tuple[str, str], ...] = ()
    low: float = math.nan
    high: float = math.nan

    @property
    def signature(self) -> str:
        """The settings in one line, such as ``cpc|pairs:any|v:0.1.0``."""
        parts = [f"{key}:{text}" for key, text in self.settings]
        return "|".join([self.name, *parts, f"v:{__version__}"])


class Presenter(Protocol):
    """What a family of scores brings along: its ``report`` module."""

    def as_json(self, found: Any, /) -> str:
        """The scores as JSON."""
        ...

    def as_table(self, found: Any, /) -> pl.DataFrame:
        """The score table."""
        ...

    def show(self, found: Any, stream: TextIO, /) -> None:
        """Print the scores for people."""
        ...


class Scores(Shown):
    """Scores of one table, or of several; they print as a table with their signatures.

    Attributes:
        found: the evaluations behind them.
    """

    def __init__(self, presenter: Presenter, found: Any) -> None:
        self._presenter, self.found = presenter, found

    def show(self, stream: TextIO | None = None) -> None:
        """Print the scores for people; to standard output without a stream."""
        self._presenter.show(self.found, stream or sys.stdout)

    def to_frame(self) -> pl.DataFrame:
        """The scores in long form: file, uid, metric, edition, value, low, high.

        ``uid`` is of a user's own score and missing for all users. ``edition`` is the dialect of
        GEO-BLEU and DTW, the group of a breakdown (hour:07), or both (humob24|weekday:Monday).
        Differences of two files (``b.csv - a.csv``) have an interval (low, high) and the columns p
        and p_holm; groups have intervals, too; seeds of one entry (``as_seeds``) an interval and
        the column sd; scores of single intents have a column intent.
        """
        return self._presenter.as_table(self.found)

    def to_json(self) -> str:
        """The scores as ``humobctl eval --format json`` writes them."""
        return self._presenter.as_json(self.found)

    def to_dict(self) -> Any:
        """The same as a record; a list of records for several tables."""
        return json.loads(self.to_json())
